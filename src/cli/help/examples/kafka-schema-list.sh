# List the subjects of the profile's schema registry
mscomm kafka schema list
# List them with their versions, and the latest one's id and type
mscomm kafka schema list --versions
# Ask another registry, as a user with a password, or an API key
mscomm kafka schema list --registry "$REGISTRY" \
  --registry-username app --registry-password env:SECRET
