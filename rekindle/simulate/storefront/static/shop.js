// What the page does beside showing itself. It runs before the storefront script, which may come at any time.
(function () {
  "use strict";
  var rekindle = (window.rekindle = window.rekindle || []);

  function notice(text) {
    var place = document.getElementById("shop-notice");
    place.textContent = text;
    place.hidden = false;
  }

  function whenReady(work) {
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", work);
    else work();
  }

  // The server left the events of this page in it.
  JSON.parse(document.getElementById("shop-calls").textContent).forEach(function (call) {
    rekindle.push(call);
  });

  // The cart of a recovery link joins the cart of this browser; the server decides how.
  document.addEventListener("rekindle:restore", function (event) {
    whenReady(function () {
      notice("Bringing your things back …");
    });
    fetch("/cart/merge", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ items: event.detail.items }),
    }).then(
      function (answer) {
        if (answer.ok) location.replace("/cart?restored=1");
        else notice("We could not bring your cart back.");
      },
      function () {
        notice("We could not bring your cart back. Please check your connection.");
      },
    );
  });

  document.addEventListener("rekindle:restore-failed", function (event) {
    whenReady(function () {
      var gone = event.detail.status === 404 || event.detail.status === 410;
      notice(gone ? "This link no longer works. Everything is still in the shop, though." : "We could not bring your cart back.");
    });
  });
})();
