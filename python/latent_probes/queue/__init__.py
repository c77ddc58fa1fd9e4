"""From what is pending to what has landed: rendered, submitted, collected."""
