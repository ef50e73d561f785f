"""The admin site all rooms register on."""

from unfold.sites import UnfoldAdminSite


class WorkBoxAdminSite(UnfoldAdminSite):
    """Unfold's site under WorkBox's name."""

    site_header = "WorkBox"
    site_title = "WorkBox"
    index_title = "Home"
