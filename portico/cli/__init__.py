"""The door for whoever runs the installation: shell commands that call the domain's commands and decide nothing."""
