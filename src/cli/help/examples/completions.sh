# Complete with Tab in bash, from the next shell on
echo 'source <(mscomm completions bash)' >> ~/.bashrc
# The same in zsh, when ~/.zfunc is in $fpath
mkdir -p ~/.zfunc && mscomm completions zsh > ~/.zfunc/_mscomm
# The same in fish
mscomm completions fish > ~/.config/fish/completions/mscomm.fish
