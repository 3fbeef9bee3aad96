# Completion of mscomm for fish. It asks mscomm itself what can stand at the cursor.

function __mscomm_complete
    set -l program (commandline -opc)[1]
    set program (string replace -r '^~/' "$HOME/" -- $program)
    type -q -- $program; or set program mscomm
    set -l typed (commandline -cp | string collect)
    set -l behind (commandline -p | string collect | string sub -s (math (string length -- "$typed") + 1))
    for line in (command $program complete fish -- "$typed" "" "$behind" 2>/dev/null </dev/null)
        switch $line
            case \tfiles
                __fish_complete_path (commandline -ct)
            case \tfolders
                __fish_complete_directories (commandline -ct)
            case \tprograms
                complete -C (commandline -ct)
            case \tcommand\t\*
                set -l from (string split -f 3 \t -- $line)
                set -l words (commandline -opc)
                set -l rest
                if test (count $words) -gt $from
                    set rest (string escape -- $words[(math $from + 1)..-1])
                end
                complete -C (string join ' ' -- $rest (commandline -ct))
            case '*'
                echo $line
        end
    end
end

complete -c mscomm -f -a '(__mscomm_complete)'
