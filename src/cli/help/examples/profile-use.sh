# Use a profile wherever none is named by -p or MSCOMM_PROFILE
mscomm profile use prod
# Go back to the servers on localhost
mscomm profile use local
