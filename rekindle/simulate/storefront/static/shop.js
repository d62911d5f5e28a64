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

  // Reminders in this browser: offered where the browser can show them, asked for by a click, never by itself.
  whenReady(function () {
    var place = document.getElementById("shop-remind");
    if (!place || !("serviceWorker" in navigator && "PushManager" in window && "Notification" in window)) return;
    var yes = place.querySelector("[data-remind=yes]");
    var no = place.querySelector("[data-remind=no]");
    var told = place.querySelector("[role=status]");

    function show(on, text) {
      yes.hidden = on;
      no.hidden = !on;
      told.textContent = text;
      place.hidden = false;
    }

    yes.addEventListener("click", function () {
      told.textContent = "Your browser asks you …";
      window.rekindle.push.subscribe({ wording: place.dataset.wording }).then(function (granted) {
        var refused = Notification.permission === "denied" ? "You did not allow it. Nothing was stored." : "This browser reaches no push service just now.";
        show(granted, granted ? "Done. Leave your cart and this browser reminds you of it." : refused);
      });
    });
    no.addEventListener("click", function () {
      window.rekindle.push.unsubscribe().then(function () {
        show(false, "Done. No more reminders here.");
      });
    });
    navigator.serviceWorker
      .getRegistration()
      .then(function (found) {
        return found && found.pushManager.getSubscription();
      })
      .then(function (subscription) {
        show(Boolean(subscription), "");
      });
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
