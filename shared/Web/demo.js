// Follows a demo year that is being played; the only script of the pages. Where scripts are off the page reloads itself instead.
"use strict";
const bar = document.getElementById("demo-bar"), share = document.getElementById("demo-share"), day = document.getElementById("demo-day");

async function look() {
  try {
    const answer = await fetch("/local/demo", { cache: "no-store" });
    const demo = answer.ok && !answer.redirected ? await answer.json() : { playing: false };
    if (!demo.playing) return location.replace("/");
    bar.value = demo.percent;
    share.textContent = `${demo.percent} %`;
    day.textContent = demo.now.slice(0, 10);
  } catch {
    // The host is busy or stopped: it is asked again.
  }
  setTimeout(look, 1000);
}

setTimeout(look, 1000);
