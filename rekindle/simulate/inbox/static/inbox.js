// New mail appears by itself: one request waits until some arrives. Everything is set as text, never as markup.
(function () {
  "use strict";
  var list = document.getElementById("list");
  var state = document.getElementById("state");
  var newest = Number(document.body.dataset.newest);

  function element(name, className, text) {
    var made = document.createElement(name);
    if (className) made.className = className;
    made.textContent = text || "";
    return made;
  }

  function clock(instant, full) {
    var date = new Date(instant);
    return full ? date.toLocaleString() : date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  }

  function add(mail) {
    var row = element("span", "row");
    var time = element("time", "", clock(mail.received_at));
    time.dateTime = mail.received_at;
    row.append(element("b", "", mail.from_name), time);
    var link = element("a");
    link.href = "/messages/" + mail.id;
    var preview = "to " + mail.to + (mail.preview ? " · " + mail.preview : "");
    link.append(row, element("span", "subject", mail.subject || "(no subject)"), element("span", "preview", preview));
    var item = element("li", "fresh");
    item.append(link);
    list.prepend(item);
  }

  function listen() {
    fetch("/api/messages?wait=25&after=" + newest)
      .then(function (answer) {
        if (!answer.ok) throw new Error(String(answer.status));
        return answer.json();
      })
      .then(function (found) {
        found.messages.forEach(function (mail) {
          add(mail);
          newest = Math.max(newest, mail.id);
        });
        if (found.messages.length) document.getElementById("none").hidden = true;
        state.textContent = "waiting for mail";
        listen();
      })
      .catch(function () {
        state.textContent = "the inbox does not answer";
        setTimeout(listen, 3000);
      });
  }

  document.querySelectorAll("time").forEach(function (time) {
    time.textContent = clock(time.dateTime, "full" in time.dataset);
  });

  document.querySelectorAll("[data-width]").forEach(function (button) {
    button.addEventListener("click", function () {
      var width = button.dataset.width;
      document.getElementById("mail").style.maxWidth = width ? width + "px" : "";
      document.querySelectorAll("[data-width]").forEach(function (other) {
        other.setAttribute("aria-pressed", String(other === button));
      });
    });
  });

  listen();
})();
