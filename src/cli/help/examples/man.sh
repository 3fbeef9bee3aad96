# Read the manual of one command
mscomm man kafka tail | man -l -
# Read the one of mscomm as a whole
mscomm man | man -l -
# Write a page to a file, as a package installs it
mscomm man bridge > mscomm-bridge.1
