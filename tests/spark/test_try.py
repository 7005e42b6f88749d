import json, time
import pyarrow as pa, pyarrow.parquet as pq
from gates.measure.engines import connect
from gates.measure.tables import *
from gates.measure.contract import findings
from gates.source import Source
from gates.workspace import read_contract
from contract_bench import NOW
def test_it(spark, tmp_path):
    import numpy as np, datetime as dt, decimal
    rng=np.random.default_rng(0); n=5000
    x=rng.normal(size=n); x[5]=np.nan; x[6]=np.inf; x[7]=-0.0; x[8]=1e300;x[9]=1e-7
    t=pa.table({"x":x,"f":rng.normal(size=n).astype("float32"),"k":np.arange(n),"s":[f"w{i%300}é" if i%7 else None for i in range(n)],"b":[bool(i%3) for i in range(n)],"d":[dt.date(2020,1,1)+dt.timedelta(i%900) for i in range(n)],"ts":[dt.datetime(2020,1,1)+dt.timedelta(seconds=i,microseconds=i%5) for i in range(n)],"m":[decimal.Decimal(i)/100 for i in range(n)], "tm":[dt.time(i%24,0,1) for i in range(n)], "z":pa.array([dt.datetime(2026,1,1)]*n,pa.timestamp("us","UTC")), "iso":["2026-02-28T12:00+02:00"]*n})
    pq.write_table(t, tmp_path/"a.parquet"); pq.write_table(t.slice(100,3000), tmp_path/"b.parquet")
    c=read_contract(Source(name="c",places={},value={"record":{"properties":{
      "x":{"type":"integer","minimum":-1,"multipleOf":0.1,"maximum":2}, "f":{"type":"integer","exclusiveMaximum":1}, "s":{"pattern":"^w1\\d*é$","minLength":4,"enum":["w1é","w2é"]}, "b":{"const":True},"d":{"format":"date","pattern":"^2020","maxLength":9},"ts":{"format":"date-time","pattern":"[05]Z$"},"m":{"multipleOf":0.05,"maximum":20.55,"enum":[0.1,0.2]},"tm":{"format":"time","pattern":"^1"},"k":{"multipleOf":3,"type":"integer"},"z":{"format":"date-time"},"iso":{"format":"date-time"}},"required":["x"],"if":{"properties":{"b":{"const":True}}},"then":{"properties":{"x":{"minimum":0}}}},
      "table":[{"rows":{"min":1}},{"unique":"k"},{"unique":["s","b"]},{"nulls":"s"},{"values":"b","equal":True},{"fresh":"ts","within":"7d"},{"fresh":"z","within":"52w"},{"fresh":"iso","within":"7d"},{"refers":["k","s"],"to":"b.parquet"},
       {"drift":"x","against":"b.parquet","max":0.1},{"drift":"s","against":"b.parquet","max":0.1},{"drift":"d","against":"b.parquet","max":0.1},{"drift":"tm","against":"b.parquet","max":0.1},{"drift":"x","measure":"ks","against":"b.parquet","max":0.1},{"drift":"ts","measure":"ks","against":"b.parquet","max":0.1},{"drift":"b","measure":"js","against":"b.parquet","max":0.1}]}))
    out=[]
    for e in (connect(NOW), spark):
        t0=time.time()
        o=open_table(e,tmp_path,"a.parquet","holdout")
        f=findings(e,o,c,lambda p: open_table(e,tmp_path,p,"beside "+p))
        print(time.time()-t0)
        print(content_digest(e,o), time.time()-t0)
        out.append(f)
    for a,b in zip(*out): print("SAME" if a==b else "DIFF", a, "" if a==b else b)
    assert out[0]==out[1]
