"""Which pages has the dashboard? Everything of a shop lies under /shops/<slug>/ and goes through `shop_view`."""

from __future__ import annotations

from django.urls import URLPattern, path

from rekindle.web.dashboard import (
    account,
    account_hook,
    accounts,
    cart,
    carts,
    doubts,
    flow,
    law,
    log,
    overview,
    own_rules,
    people,
    preview,
    privacy,
    privacy_request,
    replies,
    sends,
    settings_page,
    settle_send,
    sign_in,
    switch_flow,
)

app_name = "dashboard"

SHOP = "shops/<slug:slug>/"
CART = f"{SHOP}carts/<int:bucket>/<uuid:cart_id>/"

urlpatterns: list[URLPattern] = [
    path("", sign_in.home, name="home"),
    path("login", sign_in.sign_in, name="sign_in"),
    path("logout", sign_in.sign_out, name="sign_out"),
    path(SHOP, overview.overview, name="overview"),
    path(f"{SHOP}carts/", carts.carts, name="carts"),
    path(CART, cart.cart, name="cart"),
    path(f"{CART}addresses", cart.reveal, name="reveal"),
    path(f"{SHOP}flows/", flow.flows, name="flows"),
    path(f"{SHOP}flows/<slug:key>/", flow.flows, name="flow"),
    path(f"{SHOP}flows/<slug:key>/on", switch_flow.switch_on, name="switch_on"),
    path(f"{SHOP}flows/<slug:key>/off", switch_flow.switch_off, name="switch_off"),
    path(f"{SHOP}templates/<int:version_id>/preview", preview.preview, name="preview"),
    path(f"{SHOP}sends/", sends.sends, name="sends"),
    path(f"{SHOP}sends/open/", doubts.doubts, name="doubts"),
    path(f"{SHOP}sends/pause", settings_page.pause, name="pause_sending"),
    path(f"{SHOP}sends/resume", settings_page.resume, name="resume_sending"),
    path(f"{SHOP}sends/<int:bucket>/<uuid:send_id>/settle", settle_send.settle, name="settle_send"),
    path(f"{SHOP}replies/", replies.replies, name="replies"),
    path(f"{SHOP}replies/<int:bucket>/<uuid:reply_id>", replies.settle, name="settle_reply"),
    path(f"{SHOP}law/", law.law, name="law"),
    path(f"{SHOP}law/rules/", own_rules.all_rules, name="own_rules"),
    path(f"{SHOP}law/rules/<slug:region>/<slug:channel>/", own_rules.rules_of_region, name="rules_of_region"),
    path(f"{CART}law", law.law_of_cart, name="law_of_cart"),
    path(f"{SHOP}privacy/", privacy.privacy, name="privacy"),
    path(f"{SHOP}privacy/new", privacy.add, name="add_privacy_request"),
    path(f"{SHOP}privacy/<uuid:request_id>/", privacy_request.privacy_request, name="privacy_request"),
    path(f"{SHOP}privacy/<uuid:request_id>/step", privacy_request.step, name="step_privacy_request"),
    path(f"{SHOP}accounts/", accounts.accounts, name="accounts"),
    path(f"{SHOP}accounts/new/<slug:kind>", account.add, name="add_account"),
    path(f"{SHOP}accounts/<int:account_id>/", account.account, name="account"),
    path(f"{SHOP}accounts/<int:account_id>/move", accounts.move, name="move_account"),
    path(f"{SHOP}accounts/<int:account_id>/route", account.route, name="route_account"),
    path(f"{SHOP}accounts/<int:account_id>/switch", account.switch, name="switch_account"),
    path(f"{SHOP}accounts/<int:account_id>/test", account.try_out, name="try_account"),
    path(f"{SHOP}accounts/<int:account_id>/hook", account_hook.change_hook, name="change_hook"),
    path(f"{SHOP}log/", log.log, name="log"),
    path(f"{SHOP}log/export", log.export, name="export_log"),
    path(f"{SHOP}settings/", settings_page.settings_page, name="settings"),
    path(f"{SHOP}settings/shop", settings_page.change_identity, name="change_shop"),
    path(f"{SHOP}settings/sender", settings_page.change_sender, name="change_sender"),
    path(f"{SHOP}settings/rules", settings_page.change_rules, name="change_rules"),
    path(f"{SHOP}settings/write-key", settings_page.renew_key, name="renew_key"),
    path(f"{SHOP}settings/secret-key", settings_page.renew_secret, name="renew_secret"),
    path(f"{SHOP}settings/people", people.add, name="add_person"),
    path(f"{SHOP}settings/people/<int:person_id>", people.change, name="change_person"),
]
