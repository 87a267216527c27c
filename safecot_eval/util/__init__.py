"""What every other package stands on: errors, files, paths, secrets, YAML, progress, and the chat client."""
