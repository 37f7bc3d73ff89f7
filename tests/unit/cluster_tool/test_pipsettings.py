from pathlib import Path

from cluster import pipsettings


def test_a_machine_without_settings_carries_nothing_over() -> None:
    assert pipsettings.settings("", {}).are_plain


def test_the_environment_wins_over_the_configuration() -> None:
    listing = "global.index-url='a'\nglobal.timeout='10'\n:env:.timeout='20'\n"
    found = pipsettings.settings(listing, {"PIP_TIMEOUT": "20"})
    assert found.options == {"index-url": "a", "timeout": "20"}


def test_what_is_this_machines_own_business_stays_here() -> None:
    found = pipsettings.settings("global.find-links='/somewhere'\n", {"PIP_CACHE_DIR": "/cache"})
    assert found.are_plain


def test_certificates_are_carried_over_by_content(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.crt"
    bundle.write_text("certificates")
    for listing, env in [
        (f"global.cert={str(bundle)!r}\n", {}),
        ("", {"PIP_CERT": str(bundle)}),
        ("", {"SSL_CERT_FILE": str(bundle)}),
    ]:
        found = pipsettings.settings(listing, env)
        assert found.certificates == b"certificates"
        assert str(bundle) not in found.config()
        assert f"cert = {pipsettings.CA_FILE}\n" in found.config()


def test_certificates_that_are_not_there_are_not_missed(tmp_path: Path) -> None:
    assert pipsettings.settings("", {"PIP_CERT": str(tmp_path / "none")}).are_plain


def test_several_indexes_stay_on_one_line() -> None:
    found = pipsettings.settings("global.extra-index-url='a\\nb'\n", {})
    assert found.config() == "[global]\nextra-index-url = a b\n"
