console.log("kt", process.version)
