"""Backstage's documents become the catalogue, beside services.yaml or instead of it."""

from pathlib import Path

import pytest

from bot.topology.backstage import read_backstage
from bot.topology.catalogue import catalogue_file
from bot.topology.rulefile import BadRules

SHOP = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: checkout
  title: Checkout
  annotations:
    backstage.io/source-location: url:https://github.com/acme/shop/tree/main/services/checkout/
    backstage.io/kubernetes-id: checkout-api
    tocsin.dev/tier: "1"
    tocsin.dev/aliases: "cart, basket"
spec:
  type: service
  lifecycle: production
  owner: group:default/team-web
  consumesApis: [payments-api]
  dependsOn: ["resource:default/orders-db", "component:legacy-mailer"]
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: payments, annotations: {github.com/project-slug: acme/payments, tocsin.dev/deployer: shop}}
spec: {type: service, owner: team-payments, providesApis: ["api:default/payments-api"]}
---
apiVersion: backstage.io/v1alpha1
kind: Resource
metadata: {name: orders-db}
spec: {type: database, owner: team-data}
---
apiVersion: backstage.io/v1alpha1
kind: API
metadata: {name: payments-api}
spec: {type: openapi, owner: team-payments, definition: "..."}
"""


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_components_and_resources_become_services_with_what_they_call(tmp_path: Path) -> None:
    checkout, payments, database = read_backstage([write(tmp_path, "catalog-info.yaml", SHOP)])
    assert (checkout.name, checkout.title, checkout.owner, checkout.tier) == ("checkout", "Checkout", "team-web", 1)
    assert checkout.depends_on == ("orders-db", "payments")
    assert checkout.aliases == ("checkout-api", "cart", "basket")
    assert (checkout.repository, checkout.paths) == ("acme/shop", ("services/checkout",))
    assert (payments.repository, payments.deployer) == ("acme/payments", "shop")
    assert database.external


def test_faults_name_file_and_line_and_all_are_told(tmp_path: Path) -> None:
    twice = write(tmp_path, "b.yaml", "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: payments}\n")
    odd = write(tmp_path, "c.yaml", "\n\nhello: world\n")
    broken = write(tmp_path, "d.yaml", "a: [1,\n")
    evil = write(tmp_path, "e.yaml", "!!python/object/apply:os.system ['true']\n")
    with pytest.raises(BadRules) as told:
        read_backstage([write(tmp_path, "a.yaml", SHOP), twice, odd, broken, evil])
    said = str(told.value)
    assert "b.yaml:1: payments is described already in a.yaml:19" in said
    assert "c.yaml:3: is no Backstage entity: apiVersion" in said
    assert "d.yaml:" in said
    assert "e.yaml:1: cannot be read" in said


def test_services_yaml_goes_before_backstage_and_may_depend_on_its_services(tmp_path: Path) -> None:
    write(tmp_path, "catalog/shop/catalog-info.yaml", SHOP)
    write(
        tmp_path, "services.yaml", "services: [{name: payments, owner: us}, {name: portal, depends_on: [checkout, payments]}]\n"
    )
    catalogue = catalogue_file(tmp_path / "services.yaml", ["catalog/**/catalog-info.yaml"]).current
    assert catalogue.services["payments"].owner == "us"
    assert catalogue.services["checkout"].owner == "team-web"
    assert catalogue.graph.upstreams("portal") == {"portal": 0, "checkout": 1, "payments": 1, "orders-db": 2}


def test_a_new_document_is_seen_and_a_bad_one_leaves_the_last_good_catalogue(tmp_path: Path) -> None:
    now = [0.0]
    file = catalogue_file(tmp_path / "services.yaml", ["*-info.yaml"])
    file._ticks = lambda: now[0]
    file._looked = 0.0
    assert file.current.services == {}
    write(tmp_path, "catalog-info.yaml", SHOP)
    now[0] = 2.0
    assert set(file.current.services) == {"checkout", "payments", "orders-db"}
    write(tmp_path, "bad-info.yaml", "hello: world")
    now[0] = 4.0
    assert set(file.current.services) == {"checkout", "payments", "orders-db"}
    assert "bad-info.yaml" in str(file.faults[0])
