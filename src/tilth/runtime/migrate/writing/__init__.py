"""What has changed in the models → revision files."""
