"""An avatar as a file to take away: PNG, WebP or SVG, at any size."""
