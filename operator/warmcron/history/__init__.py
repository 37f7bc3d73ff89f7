"""What has happened, kept to be queried and traced: a projection. Nothing in here decides what runs."""
