# Give a profile another name, also where others extend it
mscomm profile rename prod live
# Rename the default profile, which stays the default
mscomm profile rename staging stage
