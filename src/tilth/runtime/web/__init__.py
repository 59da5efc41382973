"""HTTP without any feature: errors, limits, who asks, the server."""
