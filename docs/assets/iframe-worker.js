// Search from the file system: browsers refuse workers of file:// pages, so that the search's worker runs in a hidden frame here.
// The theme asks for a shim of this name; this one is ours, so that nothing is fetched from elsewhere.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const script = new URL(url, document.baseURI).href;
      const frame = document.createElement("iframe");
      frame.hidden = true;
      frame.title = "search";
      document.documentElement.append(frame);
      this.frame = frame.contentWindow;
      const load = (target) =>
        new Promise((resolve, reject) => {
          const tag = this.frame.document.createElement("script");
          Object.assign(tag, { src: target, onload: resolve, onerror: reject });
          this.frame.document.documentElement.append(tag);
        });
      // What a worker's script expects of its global: scripts one after the other, and messages to its owner.
      this.frame.importScripts = (...urls) =>
        urls.reduce((done, next) => done.then(() => load(next)), Promise.resolve());
      this.frame.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      this.ready = load(script).catch((error) => this.dispatchEvent(new ErrorEvent("error", { error })));
    }

    postMessage(data) {
      this.ready.then(() => this.frame.dispatchEvent(new this.frame.MessageEvent("message", { data })));
    }

    terminate() {
      this.frame.frameElement?.remove();
    }
  };
}
