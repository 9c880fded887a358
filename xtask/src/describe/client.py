"""Places an order with the client that was generated from the description; arguments: URL, token."""

import sys

from stockledger_client import AuthenticatedClient
from stockledger_client.api.orders import get_order, place_order
from stockledger_client.api.sites import open_site
from stockledger_client.api.stock import get_stock, receive_stock
from stockledger_client.models.open_site import OpenSite
from stockledger_client.models.ordered_line import OrderedLine
from stockledger_client.models.place_order import PlaceOrder
from stockledger_client.models.receipt_line import ReceiptLine
from stockledger_client.models.receive_stock import ReceiveStock


def main(url: str, token: str) -> None:
    # Every answer must be one that the description says.
    client = AuthenticatedClient(base_url=url, token=token, raise_on_unexpected_status=True)
    opened = open_site.sync_detailed("uk", client=client, body=OpenSite(name="London"))
    assert opened.status_code == 201, opened
    goods = ReceiveStock(lines=[ReceiptLine(sku="APPLE-1", quantity=10)])
    received = receive_stock.sync_detailed("uk", client=client, body=goods, idempotency_key="r-1")
    assert received.parsed.lines[0].after.available == 10, received

    wanted = PlaceOrder(order_id="order-1001", lines=[OrderedLine(sku="APPLE-1", quantity=3)])
    placed = place_order.sync_detailed("uk", client=client, body=wanted, idempotency_key="o-1")
    assert (placed.status_code, placed.parsed.status) == (201, "placed"), placed
    again = place_order.sync_detailed("uk", client=client, body=wanted, idempotency_key="o-1")
    assert again.status_code == 200 and again.parsed == placed.parsed, again
    assert again.headers["idempotency-replayed"] == "true", again

    # What was just decided is read at once, by its position.
    position = placed.headers["ledger-position"]
    level = get_stock.sync("uk", "APPLE-1", client=client, ledger_min_position=position)
    assert (level.on_hand, level.reserved, level.available) == (10, 3, 7), level
    shown = get_order.sync("uk", "order-1001", client=client, ledger_min_position=position)
    assert shown.lines[0].ordered == 3, shown

    too_much = PlaceOrder(order_id="order-1002", lines=[OrderedLine(sku="APPLE-1", quantity=8)])
    refused = place_order.sync_detailed("uk", client=client, body=too_much, idempotency_key="o-2")
    assert (refused.status_code, refused.parsed.code) == (409, "insufficient-stock"), refused
    assert refused.parsed.shortages[0].available == 7, refused


main(*sys.argv[1:])
