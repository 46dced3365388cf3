"""The tabs of the page that are more than controls: layout, events and what they answer."""
