"""The front: the Django project, and all that speaks HTTP inwards: pages, fragments, forms, the JSON API."""
