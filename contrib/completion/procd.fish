# fish completion for procd(8). The program itself knows what can come next; this only asks it.

function __procd_complete
    set -l before (commandline -opc)
    set -l word (commandline -ct)
    for line in ($before[1] complete --word "$word" -- $before[2..-1] 2>/dev/null)
        switch $line
            case ':files*'
                set -l prefix (string sub -s 8 -- $line)
                set -l typed (string sub -s (math (string length -- "$prefix") + 1) -- "$word")
                for path in (__fish_complete_path "$typed")
                    echo -- $prefix$path
                end
            case ':commands'
                __fish_complete_command
            case '*'
                echo -- $line
        end
    end
end

complete -c procd -f -a '(__procd_complete)'
