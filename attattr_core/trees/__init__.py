"""Attribution trees: building, cutting, drawing, saving, and measuring what their edges are worth."""
