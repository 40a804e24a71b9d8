"""The service: pictures come in over HTTP, restored regions go out; and the page that shows it."""
