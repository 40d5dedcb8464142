"""What runs the services elsewhere."""
