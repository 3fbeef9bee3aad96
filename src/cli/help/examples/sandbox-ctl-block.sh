# See how a publisher takes it that its broker is low on memory
mscomm sandbox ctl block
# The same from another terminal, by the sandbox's socket
mscomm sandbox ctl block --socket "$MSCOMM_SANDBOX_CTL"
