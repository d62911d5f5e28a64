"""All tables, for Django's migrations and the dashboard's reads."""

from rekindle.store.models.carts import CartRow, Event, Order, Product, ProductPair
from rekindle.store.models.config import (
    AccountQuota,
    Alert,
    ConsentWording,
    FlowRow,
    FlowVersion,
    Job,
    Membership,
    ProviderAccount,
    Shop,
    SignInAttempts,
    Template,
    TemplateVersion,
)
from rekindle.store.models.feedback import Reply, SeenToken, StrangeReport
from rekindle.store.models.privacy import PrivacyEvent, PrivacyRequest, SubjectExport
from rekindle.store.models.results import Attribution, ChangedHour, Exposure, Rollup
from rekindle.store.models.sends import Decision, Enrolment, Outbox, Send, SendEvent, TextSlot
from rekindle.store.models.shoppers import (
    Consent,
    ContactPoint,
    Coupon,
    Device,
    Shopper,
    Suppression,
    Visitor,
)

__all__ = [
    "AccountQuota",
    "Alert",
    "Attribution",
    "CartRow",
    "ChangedHour",
    "Consent",
    "ConsentWording",
    "ContactPoint",
    "Coupon",
    "Decision",
    "Device",
    "Enrolment",
    "Event",
    "Exposure",
    "FlowRow",
    "FlowVersion",
    "Job",
    "Membership",
    "Order",
    "Outbox",
    "PrivacyEvent",
    "PrivacyRequest",
    "Product",
    "ProductPair",
    "ProviderAccount",
    "Reply",
    "Rollup",
    "SeenToken",
    "Send",
    "SendEvent",
    "Shop",
    "Shopper",
    "SignInAttempts",
    "StrangeReport",
    "SubjectExport",
    "Suppression",
    "Template",
    "TemplateVersion",
    "TextSlot",
    "Visitor",
]
