import pytest
from django.utils import timezone
from tests import factories
pytestmark = pytest.mark.django_db
@pytest.fixture(autouse=True)
def nostatic(settings): settings.STATIC_ROOT=None
def test_it(client):
    factories.overview(timezone.now())
    client.force_login(factories.user())
    r = client.get("/")
    assert r.status_code == 200
