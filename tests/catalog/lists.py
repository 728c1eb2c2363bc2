"""Lists, read as clients do."""


async def read_all(method, request, field, metadata=None):
    """Read a list page by page to its end."""
    rows = []
    while True:
        page = await method(request, metadata=metadata)
        assert len(getattr(page, field)) <= request.page_size
        rows += getattr(page, field)
        request.page_token = page.next_page_token
        if not page.next_page_token:
            return rows
