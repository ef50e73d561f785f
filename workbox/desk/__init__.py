"""The desk staff keep open all day: order board, live home page, search for everything, lists in one's own way."""
