# Add a user whose password is in a variable
mscomm kafka user add billing --new-password env:BILLING_PASSWORD
# The same for the other mechanism, from a file, hashed more often
mscomm kafka user add billing --mechanism SCRAM-SHA-256 \
  --iterations 8192 --new-password file:billing.password
