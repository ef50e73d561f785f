"""Taking over a wholesaler's sales from a file in the Online Retail format.

Decision 0004 says what becomes of each row.

`rows` reads and sorts the rows, `plan` decides without writing, `book` writes through the services, `reconcile`
compares the books with the file.
"""
