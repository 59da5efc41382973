"""What every request passes through on its way in and every response on its way out."""
