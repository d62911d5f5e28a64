"""What does the demo shop sell? Twelve things for people who would rather be outside."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Variant:
    """One form of a product that can be put into a cart. ``sku`` is unique in the shop."""

    sku: str
    label: str


@dataclass(frozen=True, slots=True)
class Product:
    """``price`` in major units of the shop's currency, as text; the picture is ``static/<slug>.svg``."""

    product_id: str
    slug: str
    name: str
    price: str
    category: str
    line: str
    text: str
    facts: tuple[str, ...]
    variants: tuple[Variant, ...]
    choice: str

    @property
    def picture(self) -> str:
        return f"{self.slug}.svg"


def _variants(prefix: str, *labels: str) -> tuple[Variant, ...]:
    return tuple(Variant(f"{prefix}-{''.join(filter(str.isalnum, label)).upper()}", label) for label in labels)


PRODUCTS: tuple[Product, ...] = (
    Product(
        "fw-101",
        "tent-firnlicht",
        "Firnlicht two-person tent",
        "289.00",
        "Sleep",
        "Stands in four minutes, in any wind",
        "Two doors, two porches and a roof that lets the morning in. We slept in it for a summer before we sold one.",
        ("2.1 kg with everything", "Water column 4,000 mm", "Repairable poles, spare parts for ten years"),
        _variants("TNT", "Forest", "Clay"),
        "Colour",
    ),
    Product(
        "fw-102",
        "backpack-talweg",
        "Talweg 28 backpack",
        "129.00",
        "Carry",
        "A day's worth of everything",
        "Twenty-eight litres that ride close to the back. One large opening, no pocket you will ever forget about.",
        ("980 g", "Recycled ripstop, waxed by hand", "Fits a 15-inch laptop on the way back to work"),
        _variants("BPK", "Clay", "Night"),
        "Colour",
    ),
    Product(
        "fw-103",
        "boots-steinbruch",
        "Steinbruch hiking boots",
        "179.00",
        "Wear",
        "Broken in before you are",
        "Full-grain leather over a sole that has met gravel before. Resoled at cost, for as long as the upper lives.",
        ("620 g each in size 42", "Waxed leather, wool lining", "Can be resoled twice"),
        _variants("BTS", "38", "40", "42", "44"),
        "Size",
    ),
    Product(
        "fw-104",
        "jacket-nieselregen",
        "Nieselregen rain jacket",
        "149.00",
        "Wear",
        "For the kind of rain that stays",
        "Three layers, taped seams and a hood that turns with your head. It packs into its own left pocket.",
        ("340 g", "Water column 20,000 mm, no fluorocarbons", "Underarm vents"),
        _variants("JKT", "S", "M", "L", "XL"),
        "Size",
    ),
    Product(
        "fw-105",
        "bag-siebenschlaefer",
        "Siebenschläfer sleeping bag",
        "219.00",
        "Sleep",
        "Down to minus four, and no further",
        "Responsibly sourced down where the cold is, less of it where you are. Opens into a blanket on better nights.",
        ("890 g", "Comfort 1 °C, limit -4 °C", "Left or right zip can be joined"),
        _variants("SLP", "Regular", "Long"),
        "Length",
    ),
    Product(
        "fw-106",
        "hammock-siesta",
        "Siesta hammock",
        "69.00",
        "Sleep",
        "Two trees and nothing planned",
        "Parachute nylon, wide enough to lie across. The straps are kind to bark and need no knot.",
        ("520 g with straps", "Holds 180 kg", "Dries in an hour"),
        _variants("HMK", "Mustard", "Forest"),
        "Colour",
    ),
    Product(
        "fw-107",
        "stove-funke",
        "Funke camp stove",
        "59.00",
        "Cook",
        "Half a litre in three minutes",
        "Folds to the size of an apple, stands like a table. The flame can be turned down to an actual simmer.",
        ("82 g", "2,600 W", "Screw valve to EN 417"),
        _variants("STV", "Steel"),
        "Finish",
    ),
    Product(
        "fw-108",
        "mug-morgenrot",
        "Morgenrot enamel mug",
        "14.90",
        "Cook",
        "Coffee tastes better with a chip in the rim",
        "Fired twice, dipped by hand, impossible to kill. Every dent is a place you have been.",
        ("0.35 l", "Works on gas, fire and induction", "Dishwasher, if you must"),
        _variants("MUG", "Cream", "Clay", "Forest"),
        "Colour",
    ),
    Product(
        "fw-109",
        "bottle-kaltfront",
        "Kaltfront bottle 0.75 l",
        "34.50",
        "Cook",
        "Hot for twelve hours, cold for a day",
        "Double-walled steel with a lid that is also a cup. No paint to peel: the colour is in the powder.",
        ("330 g", "18/8 steel", "One spare seal in the base"),
        _variants("BTL", "Night", "Mustard", "Forest"),
        "Colour",
    ),
    Product(
        "fw-110",
        "torch-gluehwurm",
        "Glühwurm head torch",
        "39.90",
        "Light",
        "Red light for finding, white for walking",
        "Three hundred lumens when it matters, five when the others are asleep. Charges from anything.",
        ("74 g", "60 hours on low", "Splash-proof, IPX5"),
        _variants("HTC", "Mustard", "Night"),
        "Colour",
    ),
    Product(
        "fw-111",
        "lantern-irrlicht",
        "Irrlicht lantern",
        "44.00",
        "Light",
        "A campfire where fires are not allowed",
        "Warm light that breathes a little, like a flame. Hangs, stands, and floats should it come to that.",
        ("260 g", "40 hours", "Dims without steps"),
        _variants("LTN", "Brass"),
        "Finish",
    ),
    Product(
        "fw-112",
        "beanie-nordwind",
        "Nordwind merino beanie",
        "29.90",
        "Wear",
        "One knot more than a breeze",
        "Knitted in one piece from German merino. Thin enough for under a helmet, warm enough for the ferry.",
        ("48 g", "100 % merino, mulesing-free", "Made in the Allgäu"),
        _variants("BNE", "Clay", "Mustard", "Night"),
        "Colour",
    ),
)

SHELVES = tuple(dict.fromkeys(product.category for product in PRODUCTS))
BY_SLUG = {product.slug: product for product in PRODUCTS}
BY_SKU = {variant.sku: (product, variant) for product in PRODUCTS for variant in product.variants}

#: Delivery countries, most likely first; codes are ISO 3166-1 alpha-2.
COUNTRIES: tuple[tuple[str, str], ...] = (
    ("FR", "France"),
    ("DE", "Germany"),
    ("AT", "Austria"),
    ("BE", "Belgium"),
    ("DK", "Denmark"),
    ("ES", "Spain"),
    ("IE", "Ireland"),
    ("IT", "Italy"),
    ("LU", "Luxembourg"),
    ("NL", "Netherlands"),
    ("PL", "Poland"),
    ("PT", "Portugal"),
    ("SE", "Sweden"),
    ("CH", "Switzerland"),
    ("GB", "United Kingdom"),
    ("US", "United States"),
)
