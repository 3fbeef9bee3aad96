# Completion of mscomm for bash. It asks mscomm itself what can stand at the cursor.

_mscomm() {
    local program line
    COMPREPLY=()
    program=$(type -P -- "${1/#\~\//$HOME/}") || program=$(type -P mscomm) || return 0
    while IFS= read -r line; do
        case $line in
        $'\tfiles') compopt -o default 2>/dev/null || COMPREPLY+=($(compgen -f -- "$2")) ;;
        $'\tfolders') compopt -o dirnames 2>/dev/null || COMPREPLY+=($(compgen -d -- "$2")) ;;
        $'\tprograms') while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -c -- "$2") ;;
        $'\topen') compopt -o nospace 2>/dev/null ;;
        $'\tcommand\t'*) _mscomm_command "$2" ;;
        *) COMPREPLY+=("$line") ;;
        esac
    done < <(
        # The cursor is counted in bytes.
        LC_ALL=C
        line=${COMP_LINE:0:COMP_POINT}
        "$program" complete bash "$line" "$COMP_WORDBREAKS" "${COMP_LINE:COMP_POINT}" 2>/dev/null </dev/null
    )
}

# Completes the command line behind `--`.
_mscomm_command() {
    local at
    for ((at = 1; at < COMP_CWORD; at++)); do
        [[ ${COMP_WORDS[at]} == -- ]] && break
    done
    if declare -F _comp_command_offset >/dev/null; then
        _comp_command_offset $((at + 1))
    elif declare -F _command_offset >/dev/null; then
        _command_offset $((at + 1))
    elif ((at + 1 == COMP_CWORD)); then
        while IFS= read -r at; do COMPREPLY+=("$at"); done < <(compgen -c -- "$1")
    else
        compopt -o default 2>/dev/null
    fi
}

complete -F _mscomm mscomm
