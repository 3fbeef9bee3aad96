//! The profiles that are there without a file.

/// The profile that answers when nothing is configured.
pub(crate) const LOCAL: &str = "local";
/// The profile that a sandbox's command runs under.
pub(crate) const SANDBOX: &str = "sandbox";

/// The variable in which a sandbox leaves the address of one of its servers.
pub(crate) fn sandbox_var(section: &str) -> String {
    format!("MSCOMM_SANDBOX_{}", section.to_uppercase())
}

/// The variable in which a sandbox leaves another key of a section, as `tls_ca`.
pub(crate) fn sandbox_key_var(section: &str, key: &str) -> String {
    sandbox_var(&format!("{section}_{}", key.replace('.', "_")))
}
