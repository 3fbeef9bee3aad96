//! What one module names: its `use`, its paths, and those in macros and attributes.

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};

use super::modules::{Module, Path};

/// A path as it is written.
#[derive(Debug, Clone)]
pub(crate) struct Naming {
    /// Its names.
    pub path: Path,
    /// Where, from 1.
    pub line: usize,
    /// What for.
    pub how: How,
}

/// What something is named for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// In code, or in a `use` of the module's own.
    Uses,
    /// In a `use` that gives it out again.
    GivesOut,
    /// `use …::*`.
    Whole,
}

/// Reads the items of a module, but not into the modules that it declares.
#[derive(Default)]
pub(crate) struct Reader {
    module: Module,
}

impl Reader {
    /// What the items define and name, without those for tests.
    pub(crate) fn read(items: &[syn::Item]) -> Module {
        let mut reader = Reader::default();
        items.iter().for_each(|item| reader.visit_item(item));
        reader.module
    }

    fn name(&mut self, path: Path, at: Span, how: How) {
        self.module.namings.push(Naming { path, line: at.start().line, how });
    }

    fn bring(&mut self, name: String, path: Path, at: Span, how: How) {
        self.name(path.clone(), at, how);
        self.module.brought.entry(name).or_default().push(path);
    }

    fn use_tree(&mut self, tree: &syn::UseTree, before: &[String], how: How) {
        // `{self}` is what stands before it.
        let with = |name: &syn::Ident| -> Path {
            let last = Some(name.to_string()).filter(|name| name != "self" || before.is_empty());
            before.iter().cloned().chain(last).collect()
        };
        match tree {
            syn::UseTree::Path(path) => self.use_tree(&path.tree, &with(&path.ident), how),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.use_tree(tree, before, how)),
            syn::UseTree::Name(name) => {
                let path = with(&name.ident);
                self.bring(path.last().cloned().unwrap_or_default(), path, name.ident.span(), how);
            }
            syn::UseTree::Rename(rename) => {
                self.bring(rename.rename.to_string(), with(&rename.ident), rename.ident.span(), how);
            }
            syn::UseTree::Glob(glob) => {
                let how = if how == How::Uses { How::Whole } else { how };
                self.name(before.to_vec(), glob.star_token.spans[0], how);
                self.module.whole.push(before.to_vec());
            }
        }
    }

    /// Every `a::b::c` in tokens that nothing parses.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == ':');
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(first) => {
                    let mut path = vec![first.to_string()];
                    while let (true, true, Some(TokenTree::Ident(next))) =
                        (colon(at), colon(at + 1), tokens.get(at + 2))
                    {
                        path.push(next.to_string());
                        at += 3;
                    }
                    self.path(path, first.span());
                }
                // serde takes paths in strings.
                TokenTree::Literal(literal) => {
                    if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string())
                        && let Ok(path) = text.parse::<syn::Path>()
                    {
                        self.path(names(&path), literal.span());
                    }
                }
                TokenTree::Punct(_) => {}
            }
        }
    }

    /// A single name is an item of the module's own, or was named where it was brought in.
    fn path(&mut self, path: Path, at: Span) {
        if path.len() > 1 {
            self.name(path, at, How::Uses);
        }
    }
}

fn names(path: &syn::Path) -> Path {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

/// Whether something is compiled for tests alone.
fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    fn asks(meta: &syn::Meta) -> bool {
        match meta {
            syn::Meta::Path(path) => path.is_ident("test"),
            syn::Meta::List(list) if list.path.is_ident("all") => list
                .parse_args_with(Punctuated::<syn::Meta, syn::Token![,]>::parse_terminated)
                .is_ok_and(|metas| metas.iter().any(asks)),
            _ => false,
        }
    }
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Meta>().is_ok_and(|meta| asks(&meta))
    })
}

/// An item's attributes, and its name where it has one.
fn head(item: &syn::Item) -> (&[syn::Attribute], Option<&syn::Ident>) {
    match item {
        syn::Item::Const(it) => (&it.attrs, Some(&it.ident)),
        syn::Item::Enum(it) => (&it.attrs, Some(&it.ident)),
        syn::Item::Fn(it) => (&it.attrs, Some(&it.sig.ident)),
        syn::Item::ForeignMod(it) => (&it.attrs, None),
        syn::Item::Impl(it) => (&it.attrs, None),
        syn::Item::Macro(it) => (&it.attrs, it.ident.as_ref()),
        syn::Item::Mod(it) => (&it.attrs, Some(&it.ident)),
        syn::Item::Static(it) => (&it.attrs, Some(&it.ident)),
        syn::Item::Struct(it) => (&it.attrs, Some(&it.ident)),
        syn::Item::Trait(it) => (&it.attrs, Some(&it.ident)),
        syn::Item::Type(it) => (&it.attrs, Some(&it.ident)),
        syn::Item::Union(it) => (&it.attrs, Some(&it.ident)),
        syn::Item::Use(it) => (&it.attrs, None),
        _ => panic!("an item of a kind that is not known here"),
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let (attributes, name) = head(item);
        if is_for_tests(attributes) {
            return;
        }
        match (item, name) {
            (syn::Item::Mod(_), Some(name)) => {
                self.module.children.insert(name.to_string());
                return;
            }
            (_, Some(name)) => {
                use syn::Item::{Const, Fn, Macro, Static};
                let is_type = !matches!(item, Const(_) | Fn(_) | Macro(_) | Static(_));
                self.module.items.insert(name.to_string(), is_type);
            }
            (_, None) => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let is_own = matches!(item.vis, syn::Visibility::Inherited);
        self.use_tree(&item.tree, &[], if is_own { How::Uses } else { How::GivesOut });
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !is_for_tests(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if !is_for_tests(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if let Some(first) = path.segments.first() {
            self.path(names(path), first.ident.span());
        }
        visit::visit_path(self, path);
    }

    /// `pub(in crate::…)` imports nothing.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
        }
    }

    fn visit_macro(&mut self, it: &'ast syn::Macro) {
        self.visit_path(&it.path);
        self.tokens(it.tokens.clone());
    }
}
