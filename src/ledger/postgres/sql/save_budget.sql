UPDATE budget SET state = $2 WHERE endpoint = $1;
