/* Codes before the camera. The decoder is wasm from our own server; nothing is asked from another one. */

const FORMATS = ["code_128", "code_39", "ean_13", "ean_8", "upc_a", "upc_e", "itf", "qr_code", "data_matrix"];
const LOOK_MS = 120;
const GONE_MS = 1200; // the same code counts again after it was out of sight so long

let detector = null;

async function ready(wasm) {
  if (detector) return detector;
  const { BarcodeDetector, prepareZXingModule } = await import("./vendor/barcode-detector/ponyfill.js");
  prepareZXingModule({ overrides: { locateFile: (path, prefix) => (path.endsWith(".wasm") ? wasm : prefix + path) } });
  detector = new BarcodeDetector({ formats: FORMATS });
  return detector;
}

export class Camera {
  constructor(video, wasm, onCode) {
    this.video = video;
    this.wasm = wasm;
    this.onCode = onCode;
    this.stream = null;
    this.seen = new Map();
  }

  get isOn() {
    return this.stream !== null;
  }

  async start() {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Error("This browser gives no camera to a page without HTTPS. Open WorkBox over https, or use a scanner.");
    }
    const eyes = await ready(this.wasm);
    this.stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" }, audio: false });
    this.video.srcObject = this.stream;
    await this.video.play();
    this.look(eyes);
  }

  stop() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.video.srcObject = null;
    this.seen.clear();
  }

  async look(eyes) {
    while (this.isOn) {
      if (this.video.readyState >= 2) {
        const found = await eyes.detect(this.video).catch(() => []);
        const now = Date.now();
        for (const { rawValue } of found) {
          const last = this.seen.get(rawValue) ?? 0;
          this.seen.set(rawValue, now);
          if (this.isOn && rawValue && now - last > GONE_MS) this.onCode(rawValue);
        }
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}
