"""Exchange: reports, exports and imports of CSV and XLSX; docs/decisions/0008 says why it stands at the front door."""
