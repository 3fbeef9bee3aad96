# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_mscomm_global_optspecs
    string join \n p/profile= config= color= v/verbose q/quiet timeout= connect-timeout= wait= h/help V/version
end

function __fish_mscomm_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_mscomm_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_mscomm_using_subcommand
    set -l cmd (__fish_mscomm_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c mscomm -n "__fish_mscomm_needs_command" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_needs_command" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_needs_command" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_needs_command" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_needs_command" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_needs_command" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_needs_command" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_needs_command" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_needs_command" -s V -l version -d 'Print version'
complete -c mscomm -n "__fish_mscomm_needs_command" -f -a "grpc" -d 'Call gRPC methods and look at services, by reflection'
complete -c mscomm -n "__fish_mscomm_needs_command" -f -a "amqp" -d 'Publish to and consume from RabbitMQ (AMQP 0-9-1)'
complete -c mscomm -n "__fish_mscomm_needs_command" -f -a "kafka" -d 'Produce to and tail Kafka topics'
complete -c mscomm -n "__fish_mscomm_needs_command" -f -a "bridge" -d 'Carry messages from one system to another, each settled once the other side has confirmed it'
complete -c mscomm -n "__fish_mscomm_needs_command" -f -a "profile" -d 'List, show and change connection profiles'
complete -c mscomm -n "__fish_mscomm_needs_command" -f -a "sandbox" -d 'Throw-away servers inside this process, for trying and for hermetic tests'
complete -c mscomm -n "__fish_mscomm_needs_command" -f -a "run-in-sandbox" -d 'Run a sandbox\'s command, and end what it leaves'
complete -c mscomm -n "__fish_mscomm_needs_command" -f -a "completions" -d 'Print a shell\'s completion script'
complete -c mscomm -n "__fish_mscomm_needs_command" -f -a "man" -d 'Print a man page, for `man -l -`'
complete -c mscomm -n "__fish_mscomm_needs_command" -f -a "generate" -d 'Write the completion scripts and man pages of the source tree'
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and not __fish_seen_subcommand_from list describe cache export call" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and not __fish_seen_subcommand_from list describe cache export call" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and not __fish_seen_subcommand_from list describe cache export call" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and not __fish_seen_subcommand_from list describe cache export call" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and not __fish_seen_subcommand_from list describe cache export call" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and not __fish_seen_subcommand_from list describe cache export call" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and not __fish_seen_subcommand_from list describe cache export call" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and not __fish_seen_subcommand_from list describe cache export call" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and not __fish_seen_subcommand_from list describe cache export call" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and not __fish_seen_subcommand_from list describe cache export call" -f -a "list" -d 'List the services of a server, or the methods of a service'
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and not __fish_seen_subcommand_from list describe cache export call" -f -a "describe" -d 'Show a service, method, message or enum as Protobuf source'
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and not __fish_seen_subcommand_from list describe cache export call" -f -a "cache" -d 'Show or drop the descriptions of servers that --descriptor-cache keeps'
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and not __fish_seen_subcommand_from list describe cache export call" -f -a "export" -d 'Write what describes services, as a descriptor set or as .proto files'
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and not __fish_seen_subcommand_from list describe cache export call" -f -a "call" -d 'Call a method: JSON in, JSON out'
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -s o -l output -d 'table, tsv or json; in a pipe names alone, one a line' -r -f -a "table\t'A table, the default on a terminal'
tsv\t'Tab-separated lines without a heading, the default in a pipe'
json\t'A JSON object a line'"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -s s -l server -l url -d 'Server: host:port (TLS, but not on loopback), http://…, https://…, unix:PATH, or as gRPC names it (dns:, ipv4:, …)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -l authority -d 'Value of :authority, when it is not the host' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -l max-recv -d 'Largest response message taken, 64M if not given' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -l max-send -d 'Largest request message sent, any size if not given' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -l max-header-list -d 'Largest list of response headers or trailers taken, 1M if not given' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -l compress -d 'Compress the requests: gzip, deflate or zstd; responses are taken in any of them' -r -f -a "gzip\t'gzip'
deflate\t'zlib, which HTTP calls deflate'
zstd\t'Zstandard'"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -l keepalive -d 'Ask the server for a sign of life that often, as 30s' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -l keepalive-timeout -d 'How long it may take to give one, 20s if not given' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -l user-agent -d 'Value of user-agent, when it is not mscomm\'s' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -l proto -d '.proto file that describes services; may be repeated' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -s I -l import-path -d 'Folder that the imports of --proto start from, looked for when not given; may be repeated' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -l descriptor-set -l protoset -d 'Descriptor set of protoc or buf that describes services, - for standard input; may be repeated' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -l reflection -d 'Whether the server is asked about itself: auto (first, then the given files), only, or off' -r -f -a "auto\t'First, and then the given files are looked at'
only\t'And no file is looked at'
off\t'Not at all'"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -l reflect-header -d 'Metadata for reflection alone, beside that of -H; may be repeated' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -l descriptor-cache -d 'Keep what the server tells of itself, and believe it for that long, as 1h; `grpc cache clear` drops it' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -l tls -d 'Use TLS, whatever the scheme or port says' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -l plaintext -d 'Use no TLS, whatever the scheme or port says' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -l ca -d 'PEM file of the certificate authorities to trust, instead of the system\'s' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -l cert -d 'PEM file of the client certificate, its chain behind it' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -l key -d 'PEM file of the client certificate\'s private key, not encrypted' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -l server-name -d 'Name to ask for (SNI) and to check the certificate against, when it is not the host\'s' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -l insecure -d 'Do not check the server\'s certificate: for tests only' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -s H -l header -d 'Request metadata; a name that ends in -bin takes base64. May be repeated' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -s s -l server -l url -d 'Server: host:port (TLS, but not on loopback), http://…, https://…, unix:PATH, or as gRPC names it (dns:, ipv4:, …)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -l authority -d 'Value of :authority, when it is not the host' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -l max-recv -d 'Largest response message taken, 64M if not given' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -l max-send -d 'Largest request message sent, any size if not given' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -l max-header-list -d 'Largest list of response headers or trailers taken, 1M if not given' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -l compress -d 'Compress the requests: gzip, deflate or zstd; responses are taken in any of them' -r -f -a "gzip\t'gzip'
deflate\t'zlib, which HTTP calls deflate'
zstd\t'Zstandard'"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -l keepalive -d 'Ask the server for a sign of life that often, as 30s' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -l keepalive-timeout -d 'How long it may take to give one, 20s if not given' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -l user-agent -d 'Value of user-agent, when it is not mscomm\'s' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -l proto -d '.proto file that describes services; may be repeated' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -s I -l import-path -d 'Folder that the imports of --proto start from, looked for when not given; may be repeated' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -l descriptor-set -l protoset -d 'Descriptor set of protoc or buf that describes services, - for standard input; may be repeated' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -l reflection -d 'Whether the server is asked about itself: auto (first, then the given files), only, or off' -r -f -a "auto\t'First, and then the given files are looked at'
only\t'And no file is looked at'
off\t'Not at all'"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -l reflect-header -d 'Metadata for reflection alone, beside that of -H; may be repeated' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -l descriptor-cache -d 'Keep what the server tells of itself, and believe it for that long, as 1h; `grpc cache clear` drops it' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -l tls -d 'Use TLS, whatever the scheme or port says' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -l plaintext -d 'Use no TLS, whatever the scheme or port says' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -l ca -d 'PEM file of the certificate authorities to trust, instead of the system\'s' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -l cert -d 'PEM file of the client certificate, its chain behind it' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -l key -d 'PEM file of the client certificate\'s private key, not encrypted' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -l server-name -d 'Name to ask for (SNI) and to check the certificate against, when it is not the host\'s' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -l insecure -d 'Do not check the server\'s certificate: for tests only' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -s H -l header -d 'Request metadata; a name that ends in -bin takes base64. May be repeated' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from describe" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from cache" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from cache" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from cache" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from cache" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from cache" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from cache" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from cache" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from cache" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from cache" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from cache" -f -a "list" -d 'List the servers whose descriptions are kept'
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from cache" -f -a "clear" -d 'Drop what is kept of a server, or of all'
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -l descriptor-set-out -l protoset-out -d 'Write a descriptor set with all that is imported; - for standard output' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -l proto-out -l proto-out-dir -d 'Write .proto files into this folder, each where imports look for it' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -s s -l server -l url -d 'Server: host:port (TLS, but not on loopback), http://…, https://…, unix:PATH, or as gRPC names it (dns:, ipv4:, …)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -l authority -d 'Value of :authority, when it is not the host' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -l max-recv -d 'Largest response message taken, 64M if not given' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -l max-send -d 'Largest request message sent, any size if not given' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -l max-header-list -d 'Largest list of response headers or trailers taken, 1M if not given' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -l compress -d 'Compress the requests: gzip, deflate or zstd; responses are taken in any of them' -r -f -a "gzip\t'gzip'
deflate\t'zlib, which HTTP calls deflate'
zstd\t'Zstandard'"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -l keepalive -d 'Ask the server for a sign of life that often, as 30s' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -l keepalive-timeout -d 'How long it may take to give one, 20s if not given' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -l user-agent -d 'Value of user-agent, when it is not mscomm\'s' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -l proto -d '.proto file that describes services; may be repeated' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -s I -l import-path -d 'Folder that the imports of --proto start from, looked for when not given; may be repeated' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -l descriptor-set -l protoset -d 'Descriptor set of protoc or buf that describes services, - for standard input; may be repeated' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -l reflection -d 'Whether the server is asked about itself: auto (first, then the given files), only, or off' -r -f -a "auto\t'First, and then the given files are looked at'
only\t'And no file is looked at'
off\t'Not at all'"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -l reflect-header -d 'Metadata for reflection alone, beside that of -H; may be repeated' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -l descriptor-cache -d 'Keep what the server tells of itself, and believe it for that long, as 1h; `grpc cache clear` drops it' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -l tls -d 'Use TLS, whatever the scheme or port says' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -l plaintext -d 'Use no TLS, whatever the scheme or port says' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -l ca -d 'PEM file of the certificate authorities to trust, instead of the system\'s' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -l cert -d 'PEM file of the client certificate, its chain behind it' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -l key -d 'PEM file of the client certificate\'s private key, not encrypted' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -l server-name -d 'Name to ask for (SNI) and to check the certificate against, when it is not the host\'s' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -l insecure -d 'Do not check the server\'s certificate: for tests only' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -s H -l header -d 'Request metadata; a name that ends in -bin takes base64. May be repeated' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -l force -d 'Replace files that have another content'
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -s d -l data -d 'Data: TEXT, @FILE, or @- (or @) for standard input; without this flag standard input is read, unless it is a terminal' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -s n -l count -d 'End after so many responses, and cancel the call if there would be more' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l format -d 'Form of the messages: json, text (one 0x1E between requests) or binary (in streams with a length before each)' -r -f -a "json\t'Canonical protojson'
text\t'The Protobuf text format'
binary\t'The wire format; in a stream with the length before each message, as a varint'"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l request-format -d 'Form of the requests, when it is another one' -r -f -a "json\t'Canonical protojson'
text\t'The Protobuf text format'
binary\t'The wire format; in a stream with the length before each message, as a varint'"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l field-names -d 'Names of fields in responses: json or proto' -r -f -a "json\t'The one for JSON, mostly lowerCamelCase'
proto\t'The one of the schema'"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l int64 -d '64-bit integers in responses: string or number' -r -f -a "string\t'As a string, which every reader takes'
number\t'As a number, which many readers cannot hold beyond 2^53'"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l enum -d 'Enums in responses: name or number' -r -f -a "name\t'By its name'
number\t'By its number'"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -s s -l server -l url -d 'Server: host:port (TLS, but not on loopback), http://…, https://…, unix:PATH, or as gRPC names it (dns:, ipv4:, …)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l authority -d 'Value of :authority, when it is not the host' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l max-recv -d 'Largest response message taken, 64M if not given' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l max-send -d 'Largest request message sent, any size if not given' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l max-header-list -d 'Largest list of response headers or trailers taken, 1M if not given' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l compress -d 'Compress the requests: gzip, deflate or zstd; responses are taken in any of them' -r -f -a "gzip\t'gzip'
deflate\t'zlib, which HTTP calls deflate'
zstd\t'Zstandard'"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l keepalive -d 'Ask the server for a sign of life that often, as 30s' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l keepalive-timeout -d 'How long it may take to give one, 20s if not given' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l user-agent -d 'Value of user-agent, when it is not mscomm\'s' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l proto -d '.proto file that describes services; may be repeated' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -s I -l import-path -d 'Folder that the imports of --proto start from, looked for when not given; may be repeated' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l descriptor-set -l protoset -d 'Descriptor set of protoc or buf that describes services, - for standard input; may be repeated' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l reflection -d 'Whether the server is asked about itself: auto (first, then the given files), only, or off' -r -f -a "auto\t'First, and then the given files are looked at'
only\t'And no file is looked at'
off\t'Not at all'"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l reflect-header -d 'Metadata for reflection alone, beside that of -H; may be repeated' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l descriptor-cache -d 'Keep what the server tells of itself, and believe it for that long, as 1h; `grpc cache clear` drops it' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l tls -d 'Use TLS, whatever the scheme or port says' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l plaintext -d 'Use no TLS, whatever the scheme or port says' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l ca -d 'PEM file of the certificate authorities to trust, instead of the system\'s' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l cert -d 'PEM file of the client certificate, its chain behind it' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l key -d 'PEM file of the client certificate\'s private key, not encrypted' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l server-name -d 'Name to ask for (SNI) and to check the certificate against, when it is not the host\'s' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l insecure -d 'Do not check the server\'s certificate: for tests only' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -s H -l header -d 'Request metadata; a name that ends in -bin takes base64. May be repeated' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l filter -d 'Only messages for which this jq program gives something other than false and null' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l map -d 'What goes on in place of each message: the envelopes that this jq program gives, none to many' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l filter-error -d 'What happens when a program fails on a message: stop (it goes back) or skip (it is left out)' -r -f -a "stop\t'Nothing behind it is read, and it goes back'
skip\t'It is left out'"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -s o -l output -d 'pretty, raw (a line of JSON a response) or json (an envelope a line: headers, responses, status)' -r -f -a "pretty\t'Each response as indented JSON, the default on a terminal'
raw\t'Each response as one line of JSON, the default in a pipe'
json\t'An envelope a line for headers, each response, and the status, which a call that failed always has'"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l seed -d 'What the random request is made from: the same number gives the same request' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l allow-unknown-fields -d 'Skip fields in the request that the schema does not have'
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l emit-defaults -d 'Write fields without presence even when they have their default, and empty lists and maps'
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l template -d 'Print a request with every field, what the schema says of each, and values to fill in; nothing is called'
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -l example -d 'Print a random valid request; nothing is called'
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand grpc; and __fish_seen_subcommand_from call" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and not __fish_seen_subcommand_from publish consume get move tap request queue exchange bind unbind respond" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and not __fish_seen_subcommand_from publish consume get move tap request queue exchange bind unbind respond" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and not __fish_seen_subcommand_from publish consume get move tap request queue exchange bind unbind respond" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and not __fish_seen_subcommand_from publish consume get move tap request queue exchange bind unbind respond" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and not __fish_seen_subcommand_from publish consume get move tap request queue exchange bind unbind respond" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and not __fish_seen_subcommand_from publish consume get move tap request queue exchange bind unbind respond" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and not __fish_seen_subcommand_from publish consume get move tap request queue exchange bind unbind respond" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and not __fish_seen_subcommand_from publish consume get move tap request queue exchange bind unbind respond" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and not __fish_seen_subcommand_from publish consume get move tap request queue exchange bind unbind respond" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and not __fish_seen_subcommand_from publish consume get move tap request queue exchange bind unbind respond" -f -a "publish" -d 'Publish messages from an argument, a file or standard input'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and not __fish_seen_subcommand_from publish consume get move tap request queue exchange bind unbind respond" -f -a "consume" -d 'Read messages from a queue, settling each once it was written'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and not __fish_seen_subcommand_from publish consume get move tap request queue exchange bind unbind respond" -f -a "get" -d 'Look at the first messages of a queue and put them back; a quorum queue counts each look as a delivery'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and not __fish_seen_subcommand_from publish consume get move tap request queue exchange bind unbind respond" -f -a "move" -d 'Move messages from one queue to another, or dead letters back to where they came from'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and not __fish_seen_subcommand_from publish consume get move tap request queue exchange bind unbind respond" -f -a "tap" -d 'Watch what goes through exchanges, without touching anybody\'s queues'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and not __fish_seen_subcommand_from publish consume get move tap request queue exchange bind unbind respond" -f -a "request" -d 'Ask through a queue or an exchange, and write the answers'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and not __fish_seen_subcommand_from publish consume get move tap request queue exchange bind unbind respond" -f -a "queue" -d 'Declare, delete, purge and inspect queues'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and not __fish_seen_subcommand_from publish consume get move tap request queue exchange bind unbind respond" -f -a "exchange" -d 'Declare and delete exchanges'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and not __fish_seen_subcommand_from publish consume get move tap request queue exchange bind unbind respond" -f -a "bind" -d 'Bind a queue, or an exchange, to an exchange'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and not __fish_seen_subcommand_from publish consume get move tap request queue exchange bind unbind respond" -f -a "unbind" -d 'Remove a binding; all that identifies it must be the same'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and not __fish_seen_subcommand_from publish consume get move tap request queue exchange bind unbind respond" -f -a "respond" -d 'Answer what is asked through a queue: by a program, a command, or a gRPC service'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -s e -l exchange -d 'Exchange to publish to; the default exchange if not given (or amq.default), where the routing key names a queue' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -s k -l routing-key -d 'Routing key; without -e it names a queue, also for an envelope that names an exchange' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -s H -l header -d 'Header with a string, as \'trace: 42\' or trace=42. May be repeated' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l header-json -d 'Headers of any type as a JSON object, as {"retries":{"$u8":1}}; types as in an envelope' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l content-type -d 'MIME type of the body' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l content-encoding -d 'MIME encoding of the body' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l priority -d 'Priority, for queues that have them' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l correlation-id -d 'Which request this answers' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l reply-to -d 'Queue for the answer' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l expiration -d 'Time to live, as 30s; a bare number is milliseconds, as on the wire' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l message-id -d 'The application\'s id of the message' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l type -d 'The application\'s name for this kind of message' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l user-id -d 'Who publishes; the broker takes only the user who logged in' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l app-id -d 'The application that publishes' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l timestamp -d 'When the message was made: RFC 3339, seconds since 1970, or `now`' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l window -d 'How many messages may wait for their confirm' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l on-refusal -d 'What happens when a message is refused for what it is (too large, nacked, returned by the broker): continue (the others go on, and it stays where it came from), stop, skip (it counts as done), reject (its queue is told, which drops it or dead-letters it), or dead:TARGET (it goes to that queue or topic, and counts as done once it is there)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -s s -l server -l url -d 'Server as an AMQP URI: amqp://user:password@host:5672/vhost or amqps://…' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l username -d 'User name, when it is not in the URI' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l password -d 'Password: env:NAME, file:PATH, cmd:COMMAND, prompt:, or the password itself, which other users of the machine can see' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l vhost -d 'Virtual host, when it is not in the URI' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l sasl-mechanism -d 'How to log in: PLAIN, AMQPLAIN, or EXTERNAL (by the client certificate)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l heartbeat -d 'How often to ask for a sign of life, as 30s, or 0 for never; the broker\'s own interval when that is shorter' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l tls -d 'Use TLS, whatever the scheme or port says' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l plaintext -d 'Use no TLS, whatever the scheme or port says' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l ca -d 'PEM file of the certificate authorities to trust, instead of the system\'s' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l cert -d 'PEM file of the client certificate, its chain behind it' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l key -d 'PEM file of the client certificate\'s private key, not encrypted' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l server-name -d 'Name to ask for (SNI) and to check the certificate against, when it is not the host\'s' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l insecure -d 'Do not check the server\'s certificate: for tests only' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -s K -l key-delimiter -d 'What separates the routing key from the body, where each message begins with its own, with the escapes \\n \\t \\xNN' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -s d -l data -d 'Data: TEXT, @FILE, or @- (or @) for standard input; without this flag standard input is read, unless it is a terminal' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l input -d 'How to read the data: one message a line, all of it as one message (the default with -d TEXT), or JSON envelopes' -r -f -a "lines\t'One message a line'
raw\t'All of it is one message'
json\t'A stream of JSON envelopes'"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l delimiter -d 'What ends a message of --input lines, with the escapes \\n \\r \\t \\0 \\xNN' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l report -d 'Give the account as JSON too: json (a line on standard error), or json=FILE' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l persistent -d 'Keep the message on disk (delivery mode 2)'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l transient -d 'Do not keep the message on disk (delivery mode 1)'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l mandatory -d 'Fail for messages that no queue wants, instead of letting the broker drop them: the default where the message names a queue (no exchange, or the default one)'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l no-mandatory -d 'Let the broker drop what no queue wants, also where the message names a queue'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -l no-confirm -d 'Do not ask the broker to confirm: faster, and nobody knows what arrived'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from publish" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l idle-timeout -d 'Stop when nothing came for so long, as 5s' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l prefetch -d 'How many messages the broker may send ahead of their acknowledgement, 1 to 65535' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l consumer-tag -d 'Name of this consumer at the broker' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l offset -d 'Where to begin in a stream: first, last, next, an offset, 5m for so long ago, or a time in RFC 3339' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -s A -l argument -d 'Any argument, as x-max-length=10 or x-match=any; the value is read as JSON where it is JSON, else as a string. May be repeated' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -s s -l server -l url -d 'Server as an AMQP URI: amqp://user:password@host:5672/vhost or amqps://…' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l username -d 'User name, when it is not in the URI' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l password -d 'Password: env:NAME, file:PATH, cmd:COMMAND, prompt:, or the password itself, which other users of the machine can see' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l vhost -d 'Virtual host, when it is not in the URI' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l sasl-mechanism -d 'How to log in: PLAIN, AMQPLAIN, or EXTERNAL (by the client certificate)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l heartbeat -d 'How often to ask for a sign of life, as 30s, or 0 for never; the broker\'s own interval when that is shorter' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l tls -d 'Use TLS, whatever the scheme or port says' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l plaintext -d 'Use no TLS, whatever the scheme or port says' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l ca -d 'PEM file of the certificate authorities to trust, instead of the system\'s' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l cert -d 'PEM file of the client certificate, its chain behind it' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l key -d 'PEM file of the client certificate\'s private key, not encrypted' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l server-name -d 'Name to ask for (SNI) and to check the certificate against, when it is not the host\'s' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l insecure -d 'Do not check the server\'s certificate: for tests only' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -s n -l count -d 'Stop after so many messages; only these are taken' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l filter -d 'Only messages for which this jq program gives something other than false and null' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l map -d 'What goes on in place of each message: the envelopes that this jq program gives, none to many' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l filter-error -d 'What happens when a program fails on a message: stop (it goes back) or skip (it is left out)' -r -f -a "stop\t'Nothing behind it is read, and it goes back'
skip\t'It is left out'"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l exec -d 'Run this command for each message, which is done once it exits with 0' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l exec-input -d 'What the command reads: the body, or the message as a JSON envelope' -r -f -a "body\t'The body alone'
json\t'The envelope, as a line'"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l exec-timeout -d 'End a command, and all that it started, after so long; that is a failure' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l on-failure -d 'What happens to a message whose command failed: stop (it goes back, and no more commands are begun), hold (the others go on, and it goes back at the end), skip (it counts as done), dead:TARGET (it goes to that queue or topic of the same broker, and counts as done once it is there), requeue (its queue takes it back at once; the third time it is held), or reject (its queue drops or dead-letters it)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l on-exit -d 'The same for one exit code, as 75=requeue; ack takes it for success' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -s j -l jobs -d 'How many commands may run at a time; records of one Kafka key (without a key, of one partition) stay in order' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -s o -l output -d 'pretty, raw (bodies only), json (one envelope a line), or a format string with kcat\'s tokens, as \'%t %p %o %k %s\\n\'' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l delimiter -d 'What ends each message of -o raw, with the escapes \\n \\r \\t \\0 \\xNN' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l report -d 'Give the account as JSON too: json (a line on standard error), or json=FILE' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l ack -d 'Take each message out of the queue once it was written (the default)'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l nack -d 'Reject each message once it was written: it is dropped, or goes to the dead-letter exchange'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l requeue -d 'Put all messages back at the end: each is read once, up to 65535; a quorum queue counts it as a delivery'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l no-ack -d 'Take each message out as it arrives, before it is written: it is lost when writing fails'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l drop-rest -d 'Take out of the queue what --filter leaves out, too, as it does with what is written'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l exclusive -d 'Refuse to share the queue with other consumers'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -l until-end -d 'Stop when the messages that were there at the start are read, which of a stream are all, unless --offset says where to begin'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from consume" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from get" -s n -l count -d 'How many messages to look at' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from get" -l filter -d 'Only messages for which this jq program gives something other than false and null' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from get" -l map -d 'What goes on in place of each message: the envelopes that this jq program gives, none to many' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from get" -l filter-error -d 'What happens when a program fails on a message: stop (it goes back) or skip (it is left out)' -r -f -a "stop\t'Nothing behind it is read, and it goes back'
skip\t'It is left out'"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from get" -s o -l output -d 'pretty, raw (bodies only), json (one envelope a line), or a format string with kcat\'s tokens, as \'%t %p %o %k %s\\n\'' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from get" -l delimiter -d 'What ends each message of -o raw, with the escapes \\n \\r \\t \\0 \\xNN' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from get" -s s -l server -l url -d 'Server as an AMQP URI: amqp://user:password@host:5672/vhost or amqps://…' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from get" -l username -d 'User name, when it is not in the URI' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from get" -l password -d 'Password: env:NAME, file:PATH, cmd:COMMAND, prompt:, or the password itself, which other users of the machine can see' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from get" -l vhost -d 'Virtual host, when it is not in the URI' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from get" -l sasl-mechanism -d 'How to log in: PLAIN, AMQPLAIN, or EXTERNAL (by the client certificate)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from get" -l heartbeat -d 'How often to ask for a sign of life, as 30s, or 0 for never; the broker\'s own interval when that is shorter' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from get" -l tls -d 'Use TLS, whatever the scheme or port says' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from get" -l plaintext -d 'Use no TLS, whatever the scheme or port says' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from get" -l ca -d 'PEM file of the certificate authorities to trust, instead of the system\'s' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from get" -l cert -d 'PEM file of the client certificate, its chain behind it' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from get" -l key -d 'PEM file of the client certificate\'s private key, not encrypted' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from get" -l server-name -d 'Name to ask for (SNI) and to check the certificate against, when it is not the host\'s' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from get" -l insecure -d 'Do not check the server\'s certificate: for tests only' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from get" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from get" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from get" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from get" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from get" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from get" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from get" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from get" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from get" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from move" -s n -l count -d 'Stop after so many messages; only these are moved, and fewer are exit 1' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from move" -l max-moves -d 'Leave a message where it is that came back so often already: by the count of this command (mscomm-moves), or because its queue dead-lettered it more often than that (x-death)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from move" -l filter -d 'Only messages for which this jq program gives something other than false and null' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from move" -l map -d 'What goes on in place of each message: the envelopes that this jq program gives, none to many' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from move" -l filter-error -d 'What happens when a program fails on a message: stop (it goes back) or skip (it is left out)' -r -f -a "stop\t'Nothing behind it is read, and it goes back'
skip\t'It is left out'"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from move" -l report -d 'Give the account as JSON too: json (a line on standard error), or json=FILE' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from move" -s s -l server -l url -d 'Server as an AMQP URI: amqp://user:password@host:5672/vhost or amqps://…' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from move" -l username -d 'User name, when it is not in the URI' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from move" -l password -d 'Password: env:NAME, file:PATH, cmd:COMMAND, prompt:, or the password itself, which other users of the machine can see' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from move" -l vhost -d 'Virtual host, when it is not in the URI' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from move" -l sasl-mechanism -d 'How to log in: PLAIN, AMQPLAIN, or EXTERNAL (by the client certificate)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from move" -l heartbeat -d 'How often to ask for a sign of life, as 30s, or 0 for never; the broker\'s own interval when that is shorter' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from move" -l tls -d 'Use TLS, whatever the scheme or port says' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from move" -l plaintext -d 'Use no TLS, whatever the scheme or port says' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from move" -l ca -d 'PEM file of the certificate authorities to trust, instead of the system\'s' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from move" -l cert -d 'PEM file of the client certificate, its chain behind it' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from move" -l key -d 'PEM file of the client certificate\'s private key, not encrypted' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from move" -l server-name -d 'Name to ask for (SNI) and to check the certificate against, when it is not the host\'s' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from move" -l insecure -d 'Do not check the server\'s certificate: for tests only' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from move" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from move" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from move" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from move" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from move" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from move" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from move" -l to-origin -d 'Send each to the exchange and with the routing key by which it had come to the queue that dead-lettered it (x-death); one that was never dead-lettered stays'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from move" -l follow -d 'Go on with what comes, instead of stopping at what was there at the start'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from move" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from move" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from move" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -s k -l routing-key -d 'Routing key or pattern for all of the exchanges, whose names may have a colon in them then. May be repeated' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l match -d 'Of a headers exchange only messages with this header, as region=EU; the value is read as JSON where it is JSON, else as a string. May be repeated: all of them' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -s n -l count -d 'Stop after so many messages' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l idle-timeout -d 'Stop when nothing came for so long, as 5s' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l max-length -d 'How many messages may wait at the broker for whoever reads them here; beyond that it drops the oldest, which are counted' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l max-length-bytes -d 'The same in bytes of their bodies' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -s s -l server -l url -d 'Server as an AMQP URI: amqp://user:password@host:5672/vhost or amqps://…' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l username -d 'User name, when it is not in the URI' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l password -d 'Password: env:NAME, file:PATH, cmd:COMMAND, prompt:, or the password itself, which other users of the machine can see' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l vhost -d 'Virtual host, when it is not in the URI' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l sasl-mechanism -d 'How to log in: PLAIN, AMQPLAIN, or EXTERNAL (by the client certificate)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l heartbeat -d 'How often to ask for a sign of life, as 30s, or 0 for never; the broker\'s own interval when that is shorter' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l tls -d 'Use TLS, whatever the scheme or port says' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l plaintext -d 'Use no TLS, whatever the scheme or port says' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l ca -d 'PEM file of the certificate authorities to trust, instead of the system\'s' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l cert -d 'PEM file of the client certificate, its chain behind it' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l key -d 'PEM file of the client certificate\'s private key, not encrypted' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l server-name -d 'Name to ask for (SNI) and to check the certificate against, when it is not the host\'s' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l insecure -d 'Do not check the server\'s certificate: for tests only' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l filter -d 'Only messages for which this jq program gives something other than false and null' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l map -d 'What goes on in place of each message: the envelopes that this jq program gives, none to many' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l filter-error -d 'What happens when a program fails on a message: stop (it goes back) or skip (it is left out)' -r -f -a "stop\t'Nothing behind it is read, and it goes back'
skip\t'It is left out'"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l exec -d 'Run this command for each message, which is done once it exits with 0' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l exec-input -d 'What the command reads: the body, or the message as a JSON envelope' -r -f -a "body\t'The body alone'
json\t'The envelope, as a line'"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l exec-timeout -d 'End a command, and all that it started, after so long; that is a failure' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l on-failure -d 'What happens to a message whose command failed: stop (it goes back, and no more commands are begun), hold (the others go on, and it goes back at the end), skip (it counts as done), dead:TARGET (it goes to that queue or topic of the same broker, and counts as done once it is there), requeue (its queue takes it back at once; the third time it is held), or reject (its queue drops or dead-letters it)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l on-exit -d 'The same for one exit code, as 75=requeue; ack takes it for success' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -s j -l jobs -d 'How many commands may run at a time; records of one Kafka key (without a key, of one partition) stay in order' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -s o -l output -d 'pretty, raw (bodies only), json (one envelope a line), or a format string with kcat\'s tokens, as \'%t %p %o %k %s\\n\'' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l delimiter -d 'What ends each message of -o raw, with the escapes \\n \\r \\t \\0 \\xNN' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l report -d 'Give the account as JSON too: json (a line on standard error), or json=FILE' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -l match-any -d 'One of the headers of --match is enough'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from tap" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -s e -l exchange -d 'Exchange to publish to; the default exchange if not given, where the routing key names a queue' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -s k -l routing-key -d 'Routing key; without -e it names the queue that is asked' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l reply-timeout -d 'How long each request waits for its answer (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l reply-queue -d 'Let answers come to this queue, which has to be there, instead of straight to this connection (direct reply-to); answers to others go back to it at the end' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -s j -l jobs -d 'How many requests may wait for their answer at a time' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -s d -l data -d 'Data: TEXT, @FILE, or @- (or @) for standard input; without this flag standard input is read, unless it is a terminal' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l input -d 'How to read the data: one request a line, all of it as one request (the default with -d TEXT), or JSON envelopes' -r -f -a "lines\t'One message a line'
raw\t'All of it is one message'
json\t'A stream of JSON envelopes'"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -s H -l header -d 'Header with a string, as \'trace: 42\' or trace=42. May be repeated' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l header-json -d 'Headers of any type as a JSON object, as {"retries":{"$u8":1}}; types as in an envelope' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l content-type -d 'MIME type of the body' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l content-encoding -d 'MIME encoding of the body' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l priority -d 'Priority, for queues that have them' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l expiration -d 'Time to live, as 30s; a bare number is milliseconds, as on the wire' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l message-id -d 'The application\'s id of the message' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l type -d 'The application\'s name for this kind of message' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l user-id -d 'Who publishes; the broker takes only the user who logged in' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l app-id -d 'The application that publishes' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l timestamp -d 'When the message was made: RFC 3339, seconds since 1970, or `now`' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l filter-error -d 'What happens when a program fails on a message: stop (it goes back) or skip (it is left out)' -r -f -a "stop\t'Nothing behind it is read, and it goes back'
skip\t'It is left out'"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -s o -l output -d 'pretty, raw (bodies only), json (one envelope a line), or a format string with kcat\'s tokens, as \'%t %p %o %k %s\\n\'' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l delimiter -d 'What ends each message of -o raw, with the escapes \\n \\r \\t \\0 \\xNN' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l report -d 'Give the account as JSON too: json (a line on standard error), or json=FILE' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -s s -l server -l url -d 'Server as an AMQP URI: amqp://user:password@host:5672/vhost or amqps://…' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l username -d 'User name, when it is not in the URI' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l password -d 'Password: env:NAME, file:PATH, cmd:COMMAND, prompt:, or the password itself, which other users of the machine can see' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l vhost -d 'Virtual host, when it is not in the URI' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l sasl-mechanism -d 'How to log in: PLAIN, AMQPLAIN, or EXTERNAL (by the client certificate)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l heartbeat -d 'How often to ask for a sign of life, as 30s, or 0 for never; the broker\'s own interval when that is shorter' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l tls -d 'Use TLS, whatever the scheme or port says' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l plaintext -d 'Use no TLS, whatever the scheme or port says' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l ca -d 'PEM file of the certificate authorities to trust, instead of the system\'s' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l cert -d 'PEM file of the client certificate, its chain behind it' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l key -d 'PEM file of the client certificate\'s private key, not encrypted' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l server-name -d 'Name to ask for (SNI) and to check the certificate against, when it is not the host\'s' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l insecure -d 'Do not check the server\'s certificate: for tests only' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l correlation-id -d 'Id that the answer is recognised by, for the one request; a random UUID if not given' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l reply-to -d 'Queue for the answer' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l filter -d 'Write only answers for which this jq program gives something other than false and null; it sees the answer as its JSON envelope, with the body as `.value`' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l map -d 'What is written in place of each answer: the envelopes that this jq program gives, none to many' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l unordered -d 'Write answers as they come, instead of in the order of the requests'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l persistent -d 'Keep the message on disk (delivery mode 2)'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -l transient -d 'Do not keep the message on disk (delivery mode 1)'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from request" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from queue" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from queue" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from queue" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from queue" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from queue" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from queue" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from queue" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from queue" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from queue" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from queue" -f -a "declare" -d 'Create a queue; one that is there must be the same'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from queue" -f -a "delete" -d 'Delete a queue with its messages'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from queue" -f -a "purge" -d 'Drop the messages of a queue that nobody is working on, and print how many they were'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from queue" -f -a "info" -d 'Print how many messages are ready and how many consumers there are, of those queues that there are'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from exchange" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from exchange" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from exchange" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from exchange" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from exchange" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from exchange" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from exchange" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from exchange" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from exchange" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from exchange" -f -a "declare" -d 'Create an exchange; one that is there must be the same'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from exchange" -f -a "delete" -d 'Delete an exchange'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from bind" -s k -l routing-key -d 'Routing key or pattern, empty if not given. May be repeated' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from bind" -s A -l argument -d 'Any argument, as x-max-length=10 or x-match=any; the value is read as JSON where it is JSON, else as a string. May be repeated' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from bind" -s s -l server -l url -d 'Server as an AMQP URI: amqp://user:password@host:5672/vhost or amqps://…' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from bind" -l username -d 'User name, when it is not in the URI' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from bind" -l password -d 'Password: env:NAME, file:PATH, cmd:COMMAND, prompt:, or the password itself, which other users of the machine can see' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from bind" -l vhost -d 'Virtual host, when it is not in the URI' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from bind" -l sasl-mechanism -d 'How to log in: PLAIN, AMQPLAIN, or EXTERNAL (by the client certificate)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from bind" -l heartbeat -d 'How often to ask for a sign of life, as 30s, or 0 for never; the broker\'s own interval when that is shorter' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from bind" -l tls -d 'Use TLS, whatever the scheme or port says' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from bind" -l plaintext -d 'Use no TLS, whatever the scheme or port says' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from bind" -l ca -d 'PEM file of the certificate authorities to trust, instead of the system\'s' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from bind" -l cert -d 'PEM file of the client certificate, its chain behind it' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from bind" -l key -d 'PEM file of the client certificate\'s private key, not encrypted' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from bind" -l server-name -d 'Name to ask for (SNI) and to check the certificate against, when it is not the host\'s' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from bind" -l insecure -d 'Do not check the server\'s certificate: for tests only' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from bind" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from bind" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from bind" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from bind" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from bind" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from bind" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from bind" -l to-exchange -d 'The destination is an exchange'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from bind" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from bind" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from bind" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from unbind" -s k -l routing-key -d 'Routing key or pattern, empty if not given. May be repeated' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from unbind" -s A -l argument -d 'Any argument, as x-max-length=10 or x-match=any; the value is read as JSON where it is JSON, else as a string. May be repeated' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from unbind" -s s -l server -l url -d 'Server as an AMQP URI: amqp://user:password@host:5672/vhost or amqps://…' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from unbind" -l username -d 'User name, when it is not in the URI' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from unbind" -l password -d 'Password: env:NAME, file:PATH, cmd:COMMAND, prompt:, or the password itself, which other users of the machine can see' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from unbind" -l vhost -d 'Virtual host, when it is not in the URI' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from unbind" -l sasl-mechanism -d 'How to log in: PLAIN, AMQPLAIN, or EXTERNAL (by the client certificate)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from unbind" -l heartbeat -d 'How often to ask for a sign of life, as 30s, or 0 for never; the broker\'s own interval when that is shorter' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from unbind" -l tls -d 'Use TLS, whatever the scheme or port says' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from unbind" -l plaintext -d 'Use no TLS, whatever the scheme or port says' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from unbind" -l ca -d 'PEM file of the certificate authorities to trust, instead of the system\'s' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from unbind" -l cert -d 'PEM file of the client certificate, its chain behind it' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from unbind" -l key -d 'PEM file of the client certificate\'s private key, not encrypted' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from unbind" -l server-name -d 'Name to ask for (SNI) and to check the certificate against, when it is not the host\'s' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from unbind" -l insecure -d 'Do not check the server\'s certificate: for tests only' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from unbind" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from unbind" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from unbind" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from unbind" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from unbind" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from unbind" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from unbind" -l to-exchange -d 'The destination is an exchange'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from unbind" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from unbind" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from unbind" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -s n -l count -d 'Stop after so many messages; fewer before the end or the idle timeout is exit 1' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -l idle-timeout -d 'Stop when nothing came for so long, as 5s' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -l prefetch -d 'How many requests the broker may send ahead of their answer, 1 to 65535: five for each that may be worked on, if not given' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -l content-type -d 'MIME type of the answers; of --map and --via what they say, if not given' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -l filter-error -d 'What happens when a program fails on a message: stop (it goes back) or skip (it is left out)' -r -f -a "stop\t'Nothing behind it is read, and it goes back'
skip\t'It is left out'"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -l exec-input -d 'What the command reads: the body, or the message as a JSON envelope' -r -f -a "body\t'The body alone'
json\t'The envelope, as a line'"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -l exec-timeout -d 'End a command, and all that it started, after so long; that is a failure' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -l on-failure -d 'What happens to a message whose command failed: stop (it goes back, and no more commands are begun), hold (the others go on, and it goes back at the end), skip (it counts as done), dead:TARGET (it goes to that queue or topic of the same broker, and counts as done once it is there), requeue (its queue takes it back at once; the third time it is held), or reject (its queue drops or dead-letters it)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -l on-exit -d 'The same for one exit code, as 75=requeue; ack takes it for success' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -s j -l jobs -d 'How many commands may run at a time; records of one Kafka key (without a key, of one partition) stay in order' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -l report -d 'Give the account as JSON too: json (a line on standard error), or json=FILE' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -s s -l server -l url -d 'Server as an AMQP URI: amqp://user:password@host:5672/vhost or amqps://…' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -l username -d 'User name, when it is not in the URI' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -l password -d 'Password: env:NAME, file:PATH, cmd:COMMAND, prompt:, or the password itself, which other users of the machine can see' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -l vhost -d 'Virtual host, when it is not in the URI' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -l sasl-mechanism -d 'How to log in: PLAIN, AMQPLAIN, or EXTERNAL (by the client certificate)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -l heartbeat -d 'How often to ask for a sign of life, as 30s, or 0 for never; the broker\'s own interval when that is shorter' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -l tls -d 'Use TLS, whatever the scheme or port says' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -l plaintext -d 'Use no TLS, whatever the scheme or port says' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -l ca -d 'PEM file of the certificate authorities to trust, instead of the system\'s' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -l cert -d 'PEM file of the client certificate, its chain behind it' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -l key -d 'PEM file of the client certificate\'s private key, not encrypted' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -l server-name -d 'Name to ask for (SNI) and to check the certificate against, when it is not the host\'s' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -l insecure -d 'Do not check the server\'s certificate: for tests only' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -l map -d 'Answer with what this jq program gives for the request, its JSON envelope with the body as `.value`: an envelope, as \'{value: {n: (.value.n + 1)}}\'; for nothing there is no answer' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -l exec -d 'Answer with what this command prints, once it exits with 0' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -l via -d 'Answer by a verb of another system with its arguments, as the last of all: grpc call METHOD. The body is the request, and the response, or the status that the server refuses it with, is the answer' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -l until-end -d 'Stop when the requests that were there at the start are answered'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand amqp; and __fish_seen_subcommand_from respond" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and not __fish_seen_subcommand_from produce tail topic" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and not __fish_seen_subcommand_from produce tail topic" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and not __fish_seen_subcommand_from produce tail topic" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and not __fish_seen_subcommand_from produce tail topic" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and not __fish_seen_subcommand_from produce tail topic" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and not __fish_seen_subcommand_from produce tail topic" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and not __fish_seen_subcommand_from produce tail topic" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and not __fish_seen_subcommand_from produce tail topic" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and not __fish_seen_subcommand_from produce tail topic" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and not __fish_seen_subcommand_from produce tail topic" -f -a "produce" -d 'Send records to a topic'
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and not __fish_seen_subcommand_from produce tail topic" -f -a "tail" -d 'Read records of topics, and follow them'
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and not __fish_seen_subcommand_from produce tail topic" -f -a "topic" -d 'List, describe, create and delete topics'
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -s k -l message-key -d 'Key of every record; it wins over an envelope\'s' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -s H -l header -d 'Header of every record, as trace=42 or \'trace: 42\', behind an envelope\'s own. May be repeated, also with the same name' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -l partition -d 'Partition of every record, instead of the one that its key decides' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -l timestamp -d 'Timestamp of every record: RFC 3339 or ms since 1970; it wins over an envelope\'s' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -l compression -d 'Compression' -r -f -a "none\t''
gzip\t''
snappy\t''
lz4\t''
zstd\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -l acks -d 'Which replicas must have a record before it counts as confirmed; all, the default, is idempotent too' -r -f -a "0\t''
1\t''
all\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -l on-refusal -d 'What happens when a message is refused for what it is (too large, nacked, returned by the broker): continue (the others go on, and it stays where it came from), stop, skip (it counts as done), reject (its queue is told, which drops it or dead-letters it), or dead:TARGET (it goes to that queue or topic, and counts as done once it is there)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -s s -s b -l server -l brokers -l url -d 'Bootstrap brokers: host:port, separated by commas' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -l sasl-mechanism -d 'SASL mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -l username -d 'SASL user name' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -l password -d 'SASL password: env:NAME, file:PATH, cmd:COMMAND, prompt:, or the password itself, which other users of the machine can see' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -l tls -d 'Use TLS, whatever the scheme or port says' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -l plaintext -d 'Use no TLS, whatever the scheme or port says' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -l ca -d 'PEM file of the certificate authorities to trust, instead of the system\'s' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -l cert -d 'PEM file of the client certificate, its chain behind it' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -l key -d 'PEM file of the client certificate\'s private key, not encrypted' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -l server-name -d 'Name to ask for (SNI) and to check the certificate against, when it is not the host\'s' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -l insecure -d 'Do not check the server\'s certificate: for tests only' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -s X -l property -d 'Any librdkafka property, as client.rack=a. May be repeated' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -s d -l data -d 'Data: TEXT, @FILE, or @- (or @) for standard input; without this flag standard input is read, unless it is a terminal' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -l input -d 'How to read the data: one message a line, all of it as one message (the default with -d TEXT), or JSON envelopes' -r -f -a "lines\t'One message a line'
raw\t'All of it is one message'
json\t'A stream of JSON envelopes'"
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -l delimiter -d 'What ends a message of --input lines, with the escapes \\n \\r \\t \\0 \\xNN' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -s K -l key-delimiter -d 'What separates the key from the value in each record: split at the first one, no key without one' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -l report -d 'Give the account as JSON too: json (a line on standard error), or json=FILE' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -l keep-partition -d 'Send each record to the partition that its envelope names'
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -s Z -l empty-as-null -d 'Send an empty key or value as null: an empty record becomes a tombstone'
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from produce" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l from -d 'Where to begin: begin, end, an OFFSET, -N for the newest N of all partitions together, or @TIME (RFC 3339, ms since 1970, or a duration ago, as @1h)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l partitions -d 'Only these partitions, as 0,2' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l group -d 'Read as a member of this consumer group: from its offsets on, which are committed once the output is written' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -s n -l count -d 'Stop after so many messages; fewer before the end or the idle timeout is exit 1' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l idle-timeout -d 'Stop when nothing came for so long, as 5s' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l until -d 'Stop before the first record that is not older than @TIME (as for --from): the upper bound of a replay' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l isolation -d 'Which records of transactions to read' -r -f -a "read-committed\t'Those of committed transactions'
read-uncommitted\t'Those of open and aborted transactions too'"
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -s s -s b -l server -l brokers -l url -d 'Bootstrap brokers: host:port, separated by commas' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l sasl-mechanism -d 'SASL mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l username -d 'SASL user name' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l password -d 'SASL password: env:NAME, file:PATH, cmd:COMMAND, prompt:, or the password itself, which other users of the machine can see' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l tls -d 'Use TLS, whatever the scheme or port says' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l plaintext -d 'Use no TLS, whatever the scheme or port says' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l ca -d 'PEM file of the certificate authorities to trust, instead of the system\'s' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l cert -d 'PEM file of the client certificate, its chain behind it' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l key -d 'PEM file of the client certificate\'s private key, not encrypted' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l server-name -d 'Name to ask for (SNI) and to check the certificate against, when it is not the host\'s' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l insecure -d 'Do not check the server\'s certificate: for tests only' -r -f -a "true\t''
false\t''"
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -s X -l property -d 'Any librdkafka property, as client.rack=a. May be repeated' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l filter -d 'Only messages for which this jq program gives something other than false and null' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l map -d 'What goes on in place of each message: the envelopes that this jq program gives, none to many' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l filter-error -d 'What happens when a program fails on a message: stop (it goes back) or skip (it is left out)' -r -f -a "stop\t'Nothing behind it is read, and it goes back'
skip\t'It is left out'"
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l exec -d 'Run this command for each message, which is done once it exits with 0' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l exec-input -d 'What the command reads: the body, or the message as a JSON envelope' -r -f -a "body\t'The body alone'
json\t'The envelope, as a line'"
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l exec-timeout -d 'End a command, and all that it started, after so long; that is a failure' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l on-failure -d 'What happens to a message whose command failed: stop (it goes back, and no more commands are begun), hold (the others go on, and it goes back at the end), skip (it counts as done), dead:TARGET (it goes to that queue or topic of the same broker, and counts as done once it is there), requeue (its queue takes it back at once; the third time it is held), or reject (its queue drops or dead-letters it)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l on-exit -d 'The same for one exit code, as 75=requeue; ack takes it for success' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -s j -l jobs -d 'How many commands may run at a time; records of one Kafka key (without a key, of one partition) stay in order' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -s o -l output -d 'pretty, raw (bodies only), json (one envelope a line), or a format string with kcat\'s tokens, as \'%t %p %o %k %s\\n\'' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l delimiter -d 'What ends each message of -o raw, with the escapes \\n \\r \\t \\0 \\xNN' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l report -d 'Give the account as JSON too: json (a line on standard error), or json=FILE' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -l until-end -d 'Stop at what is the end now, instead of following'
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from tail" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from topic" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from topic" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from topic" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from topic" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from topic" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from topic" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from topic" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from topic" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from topic" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from topic" -f -a "list" -d 'List the topics'
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from topic" -f -a "describe" -d 'Show partitions, leaders, replicas, watermarks and the settings that are not the default'
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from topic" -f -a "create" -d 'Create topics'
complete -c mscomm -n "__fish_mscomm_using_subcommand kafka; and __fish_seen_subcommand_from topic" -f -a "delete" -d 'Delete topics and all their records, without asking'
complete -c mscomm -n "__fish_mscomm_using_subcommand bridge" -l filter -d 'Only messages for which this jq program gives something other than false and null' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand bridge" -l map -d 'What goes on in place of each message: the envelopes that this jq program gives, none to many' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand bridge" -l filter-error -d 'What happens when a program fails on a message: stop (it goes back) or skip (it is left out)' -r -f -a "stop\t'Nothing behind it is read, and it goes back'
skip\t'It is left out'"
complete -c mscomm -n "__fish_mscomm_using_subcommand bridge" -l exec -d 'Run this command for each message, which is done once it exits with 0' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand bridge" -l exec-input -d 'What the command reads: the body, or the message as a JSON envelope' -r -f -a "body\t'The body alone'
json\t'The envelope, as a line'"
complete -c mscomm -n "__fish_mscomm_using_subcommand bridge" -l exec-timeout -d 'End a command, and all that it started, after so long; that is a failure' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand bridge" -l on-failure -d 'What happens to a message whose command failed: stop (it goes back, and no more commands are begun), hold (the others go on, and it goes back at the end), skip (it counts as done), dead:TARGET (it goes to that queue or topic of the same broker, and counts as done once it is there), requeue (its queue takes it back at once; the third time it is held), or reject (its queue drops or dead-letters it)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand bridge" -l on-exit -d 'The same for one exit code, as 75=requeue; ack takes it for success' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand bridge" -s j -l jobs -d 'How many commands may run at a time; records of one Kafka key (without a key, of one partition) stay in order' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand bridge" -l report -d 'Give the account as JSON too: json (a line on standard error), or json=FILE' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand bridge" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand bridge" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand bridge" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand bridge" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand bridge" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand bridge" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand bridge" -l keep-timestamp -d 'Refuse a record whose timestamp Kafka\'s client cannot send (1970-01-01T00:00:00Z or before), instead of sending it with the present time'
complete -c mscomm -n "__fish_mscomm_using_subcommand bridge" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand bridge" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand bridge" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and not __fish_seen_subcommand_from list show add edit remove use" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and not __fish_seen_subcommand_from list show add edit remove use" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and not __fish_seen_subcommand_from list show add edit remove use" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and not __fish_seen_subcommand_from list show add edit remove use" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and not __fish_seen_subcommand_from list show add edit remove use" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and not __fish_seen_subcommand_from list show add edit remove use" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and not __fish_seen_subcommand_from list show add edit remove use" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and not __fish_seen_subcommand_from list show add edit remove use" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and not __fish_seen_subcommand_from list show add edit remove use" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and not __fish_seen_subcommand_from list show add edit remove use" -f -a "list" -d 'List the profiles, with their servers'
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and not __fish_seen_subcommand_from list show add edit remove use" -f -a "show" -d 'Show every value of a profile and where it came from, secrets masked'
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and not __fish_seen_subcommand_from list show add edit remove use" -f -a "add" -d 'Add a profile'
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and not __fish_seen_subcommand_from list show add edit remove use" -f -a "edit" -d 'Change values of a profile, or open the file in $VISUAL or $EDITOR'
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and not __fish_seen_subcommand_from list show add edit remove use" -f -a "remove" -d 'Remove a profile'
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and not __fish_seen_subcommand_from list show add edit remove use" -f -a "use" -d 'Make a profile the one that is used when none is named'
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from list" -s o -l output -d 'table on a terminal, tsv in a pipe, or json' -r -f -a "table\t'A table, the default on a terminal'
tsv\t'Tab-separated lines without a heading, the default in a pipe'
json\t'A JSON object a line'"
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from list" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from list" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from list" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from list" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from list" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from list" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from list" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from show" -s o -l output -d 'table on a terminal, tsv in a pipe, or json' -r -f -a "table\t'A table, the default on a terminal'
tsv\t'Tab-separated lines without a heading, the default in a pipe'
json\t'A JSON object a line'"
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from show" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from show" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from show" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from show" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from show" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from show" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from show" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from add" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from add" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from add" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from add" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from add" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from add" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from add" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from add" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from edit" -l unset -d 'Remove a value. May be repeated' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from edit" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from edit" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from edit" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from edit" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from edit" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from edit" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from edit" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from edit" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from edit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from remove" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from remove" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from remove" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from remove" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from remove" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from remove" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from remove" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from remove" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from use" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from use" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from use" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from use" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from use" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from use" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from use" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from use" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand profile; and __fish_seen_subcommand_from use" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand sandbox" -l only -d 'Serve only these' -r -f -a "grpc\t'gRPC'
amqp\t'RabbitMQ\'s protocol, AMQP 0-9-1'
kafka\t'Kafka'"
complete -c mscomm -n "__fish_mscomm_using_subcommand sandbox" -l grpc-port -d 'Port of the gRPC server; 0 is a free one' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand sandbox" -l amqp-port -d 'Port of the AMQP broker; 0 is a free one' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand sandbox" -l amqp-memory -d 'Most memory for messages, 256MiB if not given; above it publishers are blocked until some are gone' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand sandbox" -l amqp-user -d 'Another user who may log in beside guest, as NAME:PASSWORD' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand sandbox" -l amqp-vhost -d 'Another virtual host beside /' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand sandbox" -l kafka-port -d 'Port that leads to the first Kafka broker; 0 is its own, a free one' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand sandbox" -l kafka-brokers -d 'How many brokers the Kafka cluster has' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand sandbox" -l topic -d 'Kafka topic to create at the start, with 4 partitions if not given. May be repeated' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand sandbox" -l print-env -d 'Print the variables once all servers answer, for a sandbox in the background: eval "$(mscomm sandbox --print-env &)"' -r -f -a "sh\t'Lines for a shell to evaluate'
json\t'One JSON object; a variable to be removed is null'"
complete -c mscomm -n "__fish_mscomm_using_subcommand sandbox" -l ready-file -d 'Write the variables (as --print-env=sh) to this file once all servers answer; it is removed at the end' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand sandbox" -l proto -d 'Serve the services in these .proto files, too' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand sandbox" -s I -l import-path -d 'Folders that the imports of --proto start from; looked for when not given' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand sandbox" -l descriptor-set -d 'Serve the services in these descriptor sets, as `protoc --include_imports -o` and `buf build -o` write them' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand sandbox" -l stub -d 'What methods answer: files of JSON, see --help' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand sandbox" -l log -d 'Write what comes in to this file: the envelopes of `grpc call -o json`, with the number of the call' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand sandbox" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand sandbox" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand sandbox" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand sandbox" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand sandbox" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand sandbox" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand sandbox" -l tour -d 'Show what mscomm does with real calls to the sandbox, step by step'
complete -c mscomm -n "__fish_mscomm_using_subcommand sandbox" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand sandbox" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand sandbox" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand run-in-sandbox" -l parent -d 'Process id of the sandbox' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand run-in-sandbox" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand run-in-sandbox" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand run-in-sandbox" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand run-in-sandbox" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand run-in-sandbox" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand run-in-sandbox" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand run-in-sandbox" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand run-in-sandbox" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand run-in-sandbox" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand completions" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand completions" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand completions" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand completions" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand completions" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand completions" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand completions" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand completions" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand man" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand man" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand man" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand man" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand man" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand man" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand man" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand man" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mscomm -n "__fish_mscomm_using_subcommand generate" -s p -l profile -d 'Connection profile to use [env: MSCOMM_PROFILE]' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand generate" -l config -d 'Configuration file [env: MSCOMM_CONFIG]' -r -F
complete -c mscomm -n "__fish_mscomm_using_subcommand generate" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb'
always\t'Always'
never\t'Never'"
complete -c mscomm -n "__fish_mscomm_using_subcommand generate" -l timeout -d 'Limit of the whole command, as 30s (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand generate" -l connect-timeout -d 'Limit of one attempt to connect, 10s if not given (exit 7)' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand generate" -l wait -d 'Keep trying to connect until it works, or for this long' -r
complete -c mscomm -n "__fish_mscomm_using_subcommand generate" -s v -l verbose -d 'Say on standard error what is being done'
complete -c mscomm -n "__fish_mscomm_using_subcommand generate" -s q -l quiet -d 'No notes and no progress; errors are still printed'
complete -c mscomm -n "__fish_mscomm_using_subcommand generate" -s h -l help -d 'Print help (see more with \'--help\')'
