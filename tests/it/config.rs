// Configuration tests follow.
