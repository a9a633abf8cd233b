"""What gan-sample can do, one file each, named after the task."""
