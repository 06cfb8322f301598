// The camera of the machine: at most four frames a second go to the counter, while it is ready.

const FRAME_MS = 250;
const WIDTH_MAX = 1280;
const HEIGHT_MAX = 720;
const QUALITY = 0.85;

export class Camera {
  constructor(video, { wanted, frame }) {
    this.video = video;
    this.wanted = wanted; // whether a frame is of use now
    this.frame = frame; // takes a picture; resolves when it has been looked at
    this.canvas = document.createElement("canvas");
    this.stream = null;
  }

  get on() {
    return this.stream !== null;
  }

  async start() {
    this.stream = await navigator.mediaDevices.getUserMedia({
      video: { width: { ideal: WIDTH_MAX }, height: { ideal: HEIGHT_MAX }, facingMode: "environment" },
    });
    this.video.srcObject = this.stream;
    this.video.hidden = false;
    await this.video.play();
    this.watch(this.stream);
  }

  stop() {
    if (!this.stream) return;
    for (const track of this.stream.getTracks()) track.stop();
    this.stream = null;
    this.video.srcObject = null;
    this.video.hidden = true;
  }

  async watch(stream) {
    while (this.stream === stream) {
      const began = performance.now();
      if (this.wanted() && this.video.videoWidth > 0) {
        const picture = await this.picture();
        if (picture && this.stream === stream) await this.frame(picture);
      }
      await new Promise((go) => setTimeout(go, Math.max(20, FRAME_MS - (performance.now() - began))));
    }
  }

  picture() {
    const { videoWidth, videoHeight } = this.video;
    const scale = Math.min(1, WIDTH_MAX / videoWidth, HEIGHT_MAX / videoHeight);
    this.canvas.width = Math.round(videoWidth * scale);
    this.canvas.height = Math.round(videoHeight * scale);
    this.canvas.getContext("2d").drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
    return new Promise((done) => this.canvas.toBlob(done, "image/jpeg", QUALITY));
  }
}
