"""Reports, exports and imports over REST."""
