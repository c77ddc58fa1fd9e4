"""The request queue: pending requests are rendered, submitted, collected and landed."""
