# Print the name of the profile that commands use
mscomm profile current
# Say what chose it, too: a flag, MSCOMM_PROFILE, or the file's default
mscomm -v profile current
