// Builds the tree of DHAT files with the viewer's own code, as its page would: node dhat_viewer.js
// DH_VIEW_JS FILE... One JSON line per file: the totals that the viewer shows. Exit 1 when it throws.
"use strict";
const fs = require("fs"), vm = require("vm");

const page = vm.createContext({ document: {}, console });
vm.runInContext(fs.readFileSync(process.argv[2], "utf8") + `
  function viewed(text) {
    gData = JSON.parse(text);
    gSelect = { childNodes: gSelectData.map(() => ({})), selectedIndex: 0 };
    buildTree();
    return { tb: gRoot._totalBytes, tbk: gRoot._totalBlocks, gb: gRoot._atTGmaxBytes,
             gbk: gRoot._atTGmaxBlocks, eb: gRoot._atTEndBytes, ebk: gRoot._atTEndBlocks };
  }`, page);
page.files = process.argv.slice(3).map((name) => fs.readFileSync(name, "utf8"));
for (let i = 0; i < page.files.length; i++)
  console.log(JSON.stringify(vm.runInContext(`viewed(files[${i}])`, page)));
